"""The ledger and control on PostgreSQL, under row-level security."""
