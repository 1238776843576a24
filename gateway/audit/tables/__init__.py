"""Many runs and their actions as CSV, JSON or JSONL, page by page, in constant memory."""
