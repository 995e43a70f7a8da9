"""What moves: intake, delivery, repair and upkeep, and the worker that runs them."""
