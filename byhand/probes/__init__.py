"""What answers must do, one file for an exercise or two: hidden checks call these with fresh inputs."""
