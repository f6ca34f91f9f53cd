"""What the feeds refer to: products with what they cost and weigh, and exchange rates day by day."""

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from customerlake.demo.chance import Chance
from customerlake.demo.sales import NO_PRODUCT
from customerlake.demo.times import FIRST_DAY, LAST_DAY, at_hour

CATEGORIES = {  # the first whose words a name holds
    "christmas": "CHRISTMAS|XMAS|ADVENT|SANTA|REINDEER|SNOW",
    "lights and candles": "LIGHT|CANDLE|LANTERN|LAMP",
    "bags": "BAG|SHOPPER|PURSE|CASE",
    "kitchen and table": "MUG|CUP|PLATE|BOWL|CAKE|TEA|COFFEE|KITCHEN|SPOON|NAPKIN|BAKING|JAR|TIN|LUNCH|BOTTLE",
    "garden": "GARDEN|PLANT|FLOWER|BIRD|HERB|WATERING",
    "stationery and party": "CARD|PAPER|PEN|PENCIL|NOTEBOOK|WRAP|RIBBON|PARTY|BUNTING|STICKER|BALLOON",
    "toys": "TOY|DOLL|GAME|PUZZLE|PLAY|CHILD|KIDS|SPACEBOY|CIRCUS",
    "jewellery": "NECKLACE|EARRING|BRACELET|RING |BROOCH",
    "furniture and decoration": "CLOCK|FRAME|MIRROR|CABINET|SIGN|HOOK|DRAWER|CUSHION|HEART|VINTAGE|METAL|WOOD",
}
GRAMS = {"christmas": 180, "lights and candles": 420, "bags": 160, "kitchen and table": 380, "garden": 520}
BRANDS = ("Retrospot", "Regency Rose", "Woodland & Co", "Spaceboy", "Pantry Ltd", "Doiley House")
RATES = {  # GBP for one unit on the first day
    "EUR": 0.845,
    "USD": 0.641,
    "JPY": 0.00764,
    "CHF": 0.642,
    "SEK": 0.0922,
    "NOK": 0.104,
    "DKK": 0.1134,
    "AUD": 0.619,
    "HKD": 0.0825,
}
DAILY_CHANGE = 0.0055  # standard deviation of a day's change


def product_values(lines: DataFrame) -> DataFrame:
    """The products of all real sales: product_id, name (the one used most), price (median, GBP), place (1: sold most).

    What is liked is a latent trait of the product, so it may be taken from all of its sales.
    """
    is_product = ~F.col("StockCode").rlike(f"^({NO_PRODUCT})$") & (F.col("Quantity").cast("int") > 0)
    price = F.col("UnitPrice").cast("double")
    sold = lines.where(is_product & F.col("Description").isNotNull() & (price > 0))
    named = sold.groupBy("StockCode", F.trim("Description").alias("name")).agg(F.count(F.lit(1)).alias("times"))
    names = named.groupBy("StockCode").agg(F.max_by("name", F.struct("times", "name")).alias("name"))
    prices = sold.groupBy("StockCode").agg(
        F.percentile(price, 0.5).alias("price"), F.count(F.lit(1)).alias("count_sold")
    )
    liked = Window.orderBy(F.desc("count_sold"), "product_id")
    return (
        names.join(prices, on="StockCode", how="inner")
        .withColumnRenamed("StockCode", "product_id")
        .withColumn("place", F.row_number().over(liked))
    )


def products(values: DataFrame, *, chance: Chance) -> DataFrame:
    """The feed: the state of each product at the start, and of some a dearer one from July."""
    key = "product_id"
    category = F.when(F.lit(False), F.lit(""))
    for name, words in CATEGORIES.items():
        category = category.when(F.col("name").rlike(words), F.lit(name))
    grams = F.lit(250.0)
    for name, usual in GRAMS.items():
        grams = F.when(F.col("category") == name, F.lit(float(usual))).otherwise(grams)
    weight = grams * F.exp(F.lit(0.5) * F.col("_size"))
    unit = chance.weighted({"g": 0.6, "kg": 0.25, "oz": 0.1, "lb": 0.05}, "unit", key)
    per_gram = (
        F.when(F.col("weight_unit") == "kg", 0.001)
        .when(F.col("weight_unit") == "oz", 1 / 28.349523125)
        .when(F.col("weight_unit") == "lb", 1 / 453.59237)
        .otherwise(1.0)
    )
    dearer = chance.happens(0.15, "dearer", key)
    rise = F.when(F.col("state") == 2, 1.08).otherwise(1.0)
    day = F.when(F.col("state") == 2, F.lit("2011-07-01")).otherwise(F.lit(str(FIRST_DAY))).cast("date")
    return (
        values.withColumns(
            {"category": category.otherwise(F.lit("other")), "weight_unit": unit, "_size": chance.normal("weight", key)}
        )
        .withColumn("state", F.explode(F.sequence(F.lit(1), F.when(dearer, 2).otherwise(1))))
        .select(
            key,
            "name",
            F.when(chance.happens(0.97, "category known", key), F.col("category")).alias("category"),
            F.when(chance.happens(0.6, "brand known", key), chance.chosen(BRANDS, "brand", key)).alias("brand"),
            _money(F.col("price") * rise).alias("list_price"),
            _money(F.col("price") * (F.lit(0.35) + F.lit(0.3) * chance.uniform("cost", key))).alias("unit_cost"),
            F.lit("GBP").alias("currency"),
            F.round(weight * per_gram, 3).alias("weight"),
            "weight_unit",
            at_hour(day, F.lit(6)).alias("updated_at"),
        )
    )


def exchange_rates(spark: SparkSession, *, chance: Chance) -> DataFrame:
    """The feed: what one unit of each currency costs in GBP, every day, each from the day before."""
    walk = Window.partitionBy("currency").orderBy("rated_on").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    step = F.when(F.col("rated_on") == F.lit(FIRST_DAY), 0.0).otherwise(
        F.lit(DAILY_CHANGE) * chance.normal("rate", "currency", "rated_on")
    )
    days = F.sequence(F.lit(FIRST_DAY), F.lit(LAST_DAY))
    return (
        spark.createDataFrame(list(RATES.items()), "currency string, first_rate double")
        .withColumn("rated_on", F.explode(days))
        .withColumn("rate", F.round(F.col("first_rate") * F.exp(F.sum(step).over(walk)), 7))
        .select("currency", F.lit("GBP").alias("base_currency"), "rated_on", "rate")
    )


def _money(value: Column) -> Column:
    return F.round(value, 2).cast("decimal(18,4)")
