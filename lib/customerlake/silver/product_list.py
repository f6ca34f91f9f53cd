"""silver.product_list: products as the product feed describes them; typed from bronze.products by `silver/typed.py`.

silver.products is what lines of sales say of them.
"""

from customerlake.bronze.sources import products
from customerlake.contracts.checks import NotNegative
from customerlake.contracts.quarantine import quarantine_table
from customerlake.silver.typed import silver_table

PRODUCT_LIST = silver_table(
    products.PRODUCTS,
    "silver.product_list",
    checks=(NotNegative("list_price"), NotNegative("unit_cost"), NotNegative("weight")),
)
REJECTED_PRODUCT_LIST = quarantine_table(PRODUCT_LIST)
