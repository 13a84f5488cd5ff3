"""What judge and learner say to each other: plain data, bounded, never pickle."""
