"""One recorded model step asked again, and its answer beside the original. Tools never run."""
