"""A product inventory: lowers the stock for each completed order, and asks for a refund where it cannot.

Reads the stream order_completed of the Redis at REDIS_URL; the stock of a product is a number in stock:<product_id>.
"""

import os
from collections.abc import Iterator

from redis import Redis, ResponseError
from redis.client import Pipeline

COMPLETED = "order_completed"
REFUNDS = "refund_order"
GROUP = "inventory-group"
CONSUMER = "inventory"

Order = dict[str, str]


def main() -> None:
    client = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    make_group(client)
    for entry_id, order in completed_orders(client):
        settle(client, entry_id, order)


def make_group(client: Redis) -> None:
    """From id 0: orders that completed before this program first ran are taken, too."""
    try:
        client.xgroup_create(COMPLETED, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def completed_orders(client: Redis) -> Iterator[tuple[str, Order]]:
    position = "0"  # What this consumer was given and did not acknowledge before it died.
    while True:
        for _, entries in client.xreadgroup(GROUP, CONSUMER, {COMPLETED: position}, count=10, block=1000):
            yield from entries
            if not entries:
                position = ">"


def settle(client: Redis, entry_id: str, order: Order) -> None:
    """In one transaction, so that an order that is given twice lowers the stock once."""
    key = f"stock:{order['product_id']}"
    quantity = int(order["quantity"])

    def step(pipe: Pipeline) -> None:
        stock = int(pipe.get(key) or 0)
        pipe.multi()
        if stock >= quantity:
            pipe.decrby(key, quantity)
        else:
            pipe.xadd(REFUNDS, order)
        pipe.xack(COMPLETED, GROUP, entry_id)

    client.transaction(step, key)


if __name__ == "__main__":
    main()
