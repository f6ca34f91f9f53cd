import pytest

from customerlake.silver.cleaning.readings import latin_reading

pytestmark = pytest.mark.before_an_engine  # of one text, in Python


@pytest.mark.parametrize(
    ("kana", "latin"),
    [
        # readings as the Ministry of Foreign Affairs of Japan spells them, and as people spell their names
        ("さとう ようこ", ("Sato", "Yoko")),
        ("イノウエ シンイチ", ("Inoue", "Shinichi")),
        ("おおの ゆうき", ("Ono", "Yuki")),
        ("ハットリ ショウタ", ("Hattori", "Shota")),
        ("ホンマ ジュン", ("Homma", "Jun")),
        ("なんば けんいち", ("Namba", "Kenichi")),
        ("ホッチ チヒロ", ("Hotchi", "Chihiro")),
        ("かとう りょう", ("Kato", "Ryo")),
        ("ヤマノウチ ケイコ", ("Yamanouchi", "Keiko")),
        ("かつうら つづき", ("Katsuura", "Tsuzuki")),
        ("ヴァンダ ミーナ", ("Banda", "Mina")),
        ("きゅうま しゅうじ", ("Kyuma", "Shuji")),
    ],
)
def test_kana_are_read_by_hepburn(kana, latin):
    assert latin_reading(kana.split(" "), None) == latin


def test_the_family_name_in_kanji_leaves_the_given_name_in_kana_to_be_read():
    assert latin_reading(["佐藤", "さくら"], "JP") == ("", "Sakura")
    assert latin_reading(["一ノ瀬みどり"], None) == ("", "")  # kana inside kanji belong to the family name
    assert latin_reading(["佐々木みどり"], None) == ("", "Midori")


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        ("王小明", ("Wang", "Xiaoming")),
        ("陳大文", ("Chen", "Dawen")),
        ("欧阳娜娜", ("Ouyang", "Nana")),
        ("諸葛亮", ("Zhuge", "Liang")),
        ("司徒美", ("Situ", "Mei")),
        ("李安", ("Li", "An")),
        ("李西安", ("Li", "Xi'an")),
        ("吕布", ("Lü", "Bu")),
        # family names that are read otherwise than the sign elsewhere
        ("曾国藩", ("Zeng", "Guofan")),
        ("单田芳", ("Shan", "Tianfang")),
        ("解晓东", ("Xie", "Xiaodong")),
        ("仇英", ("Qiu", "Ying")),
        ("查良镛", ("Zha", "Liangyong")),
        ("尉迟恭", ("Yuchi", "Gong")),
        # 丽 is written in Chinese alone; 林 is a family name in both
        ("林丽", ("Lin", "Li")),
    ],
)
def test_chinese_names_are_read_by_pinyin(name, latin):
    assert latin_reading([name], None) == latin


@pytest.mark.parametrize(
    "name",
    ["佐藤結衣", "田中学", "高橋誠", "林愛", "沢田研二", "小林幸子", "金子みすゞ", "王", "王小明天地", "김민준", "森"],
)
def test_names_that_may_not_be_chinese_are_not_read(name):
    assert latin_reading([name], None) == ("", "")


def test_the_country_decides_where_signs_do_not():
    assert latin_reading(["林愛"], "CN") == ("Lin", "Ai")
    assert latin_reading(["王小明"], "JP") == ("", "")
    assert latin_reading(["陳大文"], "HK") == ("", "")
    assert latin_reading(["王", "小明"], "GB") == ("Wang", "Xiaoming")
    assert latin_reading(["王小", "明"], "GB") == ("", "")  # no Chinese family name stands apart here
