"""Runs into the recursion limit. Without the oracle, whose hooks would run into it as well: the
depth that is reached must be that of an untraced run."""


def unbounded(reached):
    reached[0] += 1
    unbounded(reached)


def main():
    depths = []
    for _ in range(3):
        reached = [0]
        try:
            unbounded(reached)
        except RecursionError:
            depths.append(reached[0])
    print("recursion_limit", depths)


main()
