"""FineGym's Gym99."""
