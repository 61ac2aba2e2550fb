"""The transition table of a Gymnasium environment as a file that Celsius solves.

    python3 gymnasium_mdp.py FrozenLake-v1 lake.json --discount 0.99 is_slippery=false map_name=8x8
    celsius solve lake.json --alpha 0.1

Any environment that has `env.unwrapped.P` will do: P[state][action] is a list of
(probability, next state, reward, terminated). Words NAME=VALUE behind the options go to `gymnasium.make`; values are
JSON, or else texts. From Python: `json.dump(table(env), file)`.
"""
import argparse
import json

import gymnasium


def table(env, discount=None, horizon=None):
    """What docs/files.md describes, as a dictionary ready for json.dump."""
    env = env.unwrapped
    out = {}
    if getattr(env, "spec", None) is not None:
        out["name"] = env.spec.id
    if discount is not None:
        out["discount"] = discount
    if horizon is not None:
        out["horizon"] = horizon
    start = getattr(env, "initial_state_distrib", None)
    if start is not None:
        out["start"] = [float(p) for p in start]
    out["P"] = {
        int(s): {
            int(a): [[float(p), int(t), float(r), bool(done)] for p, t, r, done in row]
            for a, row in env.P[s].items()
        }
        for s in sorted(env.P)
    }
    return out


def dump(table, file):
    """As json.dump, one state a line."""
    for key, value in table.items():
        if key != "P":
            file.write(("{" if key == next(iter(table)) else "") + f"{json.dumps(key)}: {json.dumps(value)},\n")
    file.write(("" if len(table) > 1 else "{") + '"P": {\n')
    file.write(",\n".join(f'"{s}": {json.dumps(row)}' for s, row in table["P"].items()))
    file.write("\n}}\n")


def argument(text):
    """NAME=VALUE as a pair."""
    name, _, value = text.partition("=")
    if not _:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("id", help="the environment, FrozenLake-v1 for example")
    parser.add_argument("out", help="the file to write")
    parser.add_argument("--discount", type=float, help="kept in the file; otherwise given when it is solved")
    parser.add_argument("--horizon", type=int, help="steps of an episode, where it shall be finite")
    parser.add_argument("arguments", nargs="*", type=argument, metavar="NAME=VALUE",
                        help="arguments of the environment")
    options = parser.parse_intermixed_args()
    env = gymnasium.make(options.id, **dict(options.arguments))
    if not hasattr(env.unwrapped, "P"):
        parser.error(f"{options.id} has no transition table, env.unwrapped.P")
    with open(options.out, "w", encoding="ascii") as file:
        dump(table(env, options.discount, options.horizon), file)


if __name__ == "__main__":
    main()
