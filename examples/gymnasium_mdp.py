"""Writes the transition table of a Gymnasium environment to a file that Celsius can solve.

    python3 gymnasium_mdp.py FrozenLake-v1 lake.json --discount 0.99 is_slippery=false map_name=8x8
    celsius solve lake.json --alpha 0.1

This works for any environment that has `env.unwrapped.P`, where P[state][action] is a list of
(probability, next state, reward, terminated). Arguments of the form NAME=VALUE go to
`gymnasium.make`. A value is JSON or Python (false and False are the same), or else a string.
From Python: `json.dump(table(env), file)`.
"""
import argparse
import ast
import inspect
import json

import gymnasium
from gymnasium.envs.registration import load_env_creator


def table(env, discount=None, horizon=None):
    """The dictionary that docs/files.md describes, ready for json.dump."""
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
    """Like json.dump, but writes one state per line."""
    for key, value in table.items():
        if key != "P":
            file.write(("{" if key == next(iter(table)) else "") + f"{json.dumps(key)}: {json.dumps(value)},\n")
    file.write(("" if len(table) > 1 else "{") + '"P": {\n')
    file.write(",\n".join(f'"{s}": {json.dumps(row)}' for s, row in table["P"].items()))
    file.write("\n}}\n")


def value_of(name, text):
    """Reads JSON or a Python literal, else returns the string. An incomplete list is an error."""
    for read, errors in ((json.loads, ValueError), (ast.literal_eval, (ValueError, SyntaxError))):
        try:
            return read(text)
        except errors:
            pass
    if text[:1] in tuple("[{('\""):
        raise argparse.ArgumentTypeError(f"{name}: the value {text} is neither JSON nor Python")
    return text


def argument(text):
    """Splits NAME=VALUE into a pair."""
    name, equal, value = text.partition("=")
    if not equal or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=VALUE")
    return name, value_of(name, value)


def check(id, arguments):
    """Raises ValueError for an unknown argument, and for a value that must be true or false."""
    entry = gymnasium.spec(id).entry_point
    parameters = inspect.signature(entry if callable(entry) else load_env_creator(entry)).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in arguments.items():
        if name not in parameters:
            if open_ended or name == "render_mode":
                continue
            raise ValueError(f"{id} has no argument '{name}'; its arguments are: {', '.join(parameters) or 'none'}")
        if isinstance(parameters[name].default, bool) and not isinstance(value, bool):
            raise ValueError(f"{id}: {name} is {value}; it must be true or false")


def make(id, arguments):
    """Makes the environment. Raises ValueError with a message of one line."""
    try:
        check(id, arguments)
        env = gymnasium.make(id, **arguments)
    except (gymnasium.error.Error, ImportError, TypeError, KeyError, AssertionError) as error:
        raise ValueError(f"{id}: {str(error) or type(error).__name__}") from None
    if not isinstance(getattr(env.unwrapped, "P", None), dict):
        raise ValueError(f"{id} has no transition table, env.unwrapped.P")
    return env


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("id", help="id of the environment, for example FrozenLake-v1")
    parser.add_argument("out", help="file to write")
    parser.add_argument("--discount", type=float,
                        help="discount to store in the file; if missing, pass --gamma to celsius solve")
    parser.add_argument("--horizon", type=int,
                        help="steps per episode; if missing, the horizon is infinite")
    parser.add_argument("arguments", nargs="*", type=argument, metavar="NAME=VALUE",
                        help="arguments of the environment")
    options = parser.parse_intermixed_args()
    try:
        env = make(options.id, dict(options.arguments))
        with open(options.out, "w", encoding="ascii") as file:
            dump(table(env, options.discount, options.horizon), file)
    except (ValueError, OSError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
