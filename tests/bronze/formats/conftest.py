"""How the tests of all formats read a file: records without what is null, as sales have it."""

import pytest

from customerlake.bronze.formats import READERS
from customerlake.bronze.sources.sales import SALES
from customerlake.runtime.feeds import SalesFeed


@pytest.fixture(scope="session")
def read():
    """read(format, text, **the feed's settings) -> its records, each without the columns that are null."""

    def records(file_format, text, rows_per_batch=3, **settings):
        feed = SalesFeed(path="landing", format=file_format, **settings)
        batches = READERS[file_format].split(text, SALES, feed, rows_per_batch)
        return [
            {name: value for name, value in record.items() if value is not None}
            for batch in batches
            for record in batch.to_pylist()
        ]

    return records


@pytest.fixture(scope="session")
def header():
    """header(format, text, **the feed's settings) -> the names of its columns."""

    def names(file_format, text, **settings):
        return READERS[file_format].header(text, SalesFeed(path="landing", format=file_format, **settings))

    return names
