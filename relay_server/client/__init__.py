"""The client side of the relay protocol. httpx loads with `publisher`, websockets with `subscriber`, and not before."""
