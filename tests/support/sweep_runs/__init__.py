"""Small plans, studies and sweeps that tests run or find finished."""
