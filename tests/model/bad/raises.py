def divide(by: int) -> float:
    return 1 / by


share = divide(0)
