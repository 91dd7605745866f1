"""A product inventory: tells prices, lowers the stock for each completed order, and asks for a refund where it cannot.

The Redis is that of REDIS_URL; how many pieces of a product there are is a number in stock:<product_id>. Products are
served on INVENTORY_PORT (default 8000), as the shop's own product service does.
"""

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

from redis import Redis, ResponseError
from redis.client import Pipeline

COMPLETED = "order_completed"
REFUNDS = "refund_order"
GROUP = "inventory-group"
CONSUMER = "inventory"

PRICE = 19.9


def main() -> None:
    client = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("INVENTORY_PORT", "8000"))), handler(client))
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"Inventory: http://127.0.0.1:{server.server_port}", flush=True)
    try:
        # From id 0: orders that completed before this program first ran are taken, too.
        client.xgroup_create(COMPLETED, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
    for entry_id, order in completed_orders(client):
        settle(client, entry_id, order)


def completed_orders(client: Redis) -> Iterator[tuple[str, dict[str, str]]]:
    position = "0"  # What was given to this consumer before it died, and not acknowledged.
    while True:
        for _, entries in client.xreadgroup(GROUP, CONSUMER, {COMPLETED: position}, count=10, block=1000):
            yield from entries
            if not entries:
                position = ">"


def settle(client: Redis, entry_id: str, order: dict[str, str]) -> None:
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


def handler(client: Redis) -> type[BaseHTTPRequestHandler]:
    class Products(BaseHTTPRequestHandler):
        """GET /products/{pk}; like the shop's own service, it fails for a product that it does not know."""

        def do_GET(self) -> None:
            pk = unquote(self.path.removeprefix("/products/"))
            stock = client.get(f"stock:{pk}")
            if stock is None:
                self.send_error(500)
                return
            product = {"pk": pk, "name": pk, "price": PRICE, "quantity": int(stock)}
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(product).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Not one line a request."""

    return Products


if __name__ == "__main__":
    main()
