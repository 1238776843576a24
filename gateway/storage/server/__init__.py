"""Stores on servers: Redis for the journal, PostgreSQL for ledger and control; many gateways."""
