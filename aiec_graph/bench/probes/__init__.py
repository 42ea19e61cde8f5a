"""What training does to channels: their history, and what they owe to planted inputs."""
