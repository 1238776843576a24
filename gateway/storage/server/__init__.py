"""The stores that many gateways share: the journal on Redis, the rest on PostgreSQL."""
