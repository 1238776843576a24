"""The journal on Redis: Functions and streams, partitioned by run."""
