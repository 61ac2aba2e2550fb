"""Files of finite problems by Storm, umbi and PETSc's own Python module, for tests/mdp/test_formats_golden.c.

    python3.11 -m venv VENV && VENV/bin/pip install -r tests/golden/formats.txt
    VENV/bin/python tests/golden/formats.py [PetscBinaryIO.py]

writes tests/golden/formats/. PetscBinaryIO.py is in lib/petsc/bin/ of PETSc's source (PyPI: petsc 3.26.1);
without it, the PETSc file stays as it is.

    robot.umb, robot-xz.umb, robot-plain.umb, robot.drn   a robot on a grid, by Storm: gzip, xz, plain, text
    robot-rational.umb                                    the same by umbi, with rational probabilities
    robot-time.json, robot-energy.json                    the same as transition tables, from Storm's matrix,
                                                          with the rewards of one reward model
    robot-labels.json                                     {"label": [states]}
    chain.umb, chain.drn                                  a Markov chain, by Storm
    queue.umb                                             a continuous-time Markov chain, by Storm
    game.umb                                              a game of two players, by umbi
    pair_P.bin, pair_g.bin, pair.json                     a random problem, by PETSc
"""
import importlib.util
import json
import os
import sys
from fractions import Fraction

import numpy as np
import stormpy
import stormpy.io as io
import umbi.ats
from stormpy.developer import storage

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "formats")

ROBOT = """
mdp
const int N = 4;
module robot
  x : [0..N] init 0;
  y : [0..N] init 0;
  [right] x < N -> 1/3 : (x' = x + 1) + 1/3 : (y' = min(y + 1, N)) + 1/3 : true;
  [up] y < N -> 0.8 : (y' = y + 1) + 0.2 : (x' = max(x - 1, 0));
  [stay] x = N & y = N -> true;
endmodule
label "goal" = x = N & y = N;
label "edge" = x = N | y = N;
rewards "time" x < N | y < N : 1; endrewards
rewards "energy" [right] true : 2.5; [up] true : 1 + x / 8; endrewards
"""

CHAIN = """
dtmc
module walk
  x : [0..3] init 1;
  [] x > 0 & x < 3 -> 0.25 : (x' = x + 1) + 0.75 : (x' = x - 1);
  [] x = 0 | x = 3 -> true;
endmodule
label "top" = x = 3;
"""

QUEUE = """
ctmc
module queue
  n : [0..3] init 0;
  <> n < 3 -> 2 : (n' = n + 1);
  <> n > 0 -> 3 : (n' = n - 1);
endmodule
"""


def path(name):
    return os.path.join(HERE, name)


def build(text):
    source = path("model.tmp")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        return stormpy.build_model[float](io.parse_prism_program(source))
    finally:
        os.remove(source)


def export(model, name, compression):
    options = storage.UmbExportOptions()
    options.compression = compression
    io.export_to_umb(model, path(name), options=options)


def rewards(model, name):
    """(state rewards, choice rewards), zeros where Storm has none."""
    found = model.reward_models[name]
    states = list(found.state_rewards) if found.has_state_rewards else [0.0] * model.nr_states
    choices = list(found.state_action_rewards) if found.has_state_action_rewards else [0.0] * model.nr_choices
    return states, choices


def rows(model):
    """State, action, choice and [(probability, next state)]."""
    choice = 0
    for state in model.states:
        for action, one in enumerate(state.actions):
            yield int(state), action, choice, [(t.value, t.column) for t in one.transitions]
            choice += 1


def table(model, reward):
    state, pair = rewards(model, reward)
    P = {str(s): {} for s in range(model.nr_states)}
    for s, a, choice, row in rows(model):
        P[str(s)][str(a)] = [[p, n, state[s] + pair[choice], False] for p, n in row]
    start = [0.0] * model.nr_states
    for s in model.initial_states:
        start[s] = 1.0 / len(model.initial_states)
    return {"discount": 0.9, "start": start, "P": P}


def dump(name, content):
    with open(path(name), "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.write("\n")


def rational(model):
    """The robot by umbi. Its probabilities are 1/3 and multiples of 1/10."""
    ats = umbi.ats.ExplicitAts()
    ats.time = umbi.ats.TimeType.DISCRETE
    ats.num_players = 1
    last, choices = -1, []
    for s, _, choice, row in rows(model):
        if s != last:
            ats.add_state()
        last = s
        added = ats.add_state_choice(state=s)
        choices.append(choice)
        for p, n in row:
            added.add_branch(target=n, prob=Fraction(p).limit_denominator(1000))
    ats.set_initial_states([int(s) for s in model.initial_states])
    labels = model.labeling
    for name in ("edge", "goal"):
        annotation = ats.add_ap_annotation(name=name, alias=name.upper() + " of the grid")
        annotation.set_state_values([name in labels.get_labels_of_state(s) for s in range(model.nr_states)])
    state, _ = rewards(model, "time")
    ats.add_reward_annotation(name="time", alias="time").set_state_values([Fraction(x) for x in state])
    _, pair = rewards(model, "energy")
    ats.add_reward_annotation(name="energy", alias="energy").set_choice_values([Fraction(x) for x in pair])
    ats.validate()
    umbi.ats.write(ats, path("robot-rational.umb"))


def game():
    ats = umbi.ats.ExplicitAts()
    ats.time = umbi.ats.TimeType.DISCRETE
    ats.num_players = 2
    for s in range(2):
        ats.add_state()
        ats.add_state_choice(state=s).add_branch(target=1 - s, prob=1.0)
    ats.set_initial_states([0])
    ats.state_to_player, ats.player_to_name = [0, 1], ["ann", "bob"]
    umbi.ats.write(ats, path("game.umb"))


def petsc(module):
    spec = importlib.util.spec_from_file_location("PetscBinaryIO", module)
    PetscBinaryIO = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(PetscBinaryIO)
    rng = np.random.default_rng(5)
    S, A, B = 6, 3, 2
    column = np.concatenate([np.sort(rng.choice(S, B, replace=False)) for _ in range(S * A)])
    value = rng.dirichlet(np.ones(B), S * A).reshape(-1)
    costs = rng.standard_normal((S, A))
    writer = PetscBinaryIO.PetscBinaryIO(precision="double", indices="32bit", complexscalars=False)
    starts = np.arange(0, S * A * B + 1, B)
    matrix = PetscBinaryIO.MatSparse(((S * A, S), (starts, column, value)))
    writer.writeBinaryFile(path("pair_P.bin"), [matrix])
    # PETSc's dense matrices are written as sparse ones by this module
    full = PetscBinaryIO.MatSparse(((S, A), (np.arange(0, S * A + 1, A), np.tile(np.arange(A), S), costs.reshape(-1))))
    writer.writeBinaryFile(path("pair_g.bin"), [full])
    for name in ("pair_P.bin.info", "pair_g.bin.info"):
        if os.path.exists(path(name)):
            os.remove(path(name))
    P = {str(s): {str(a): [[value[(s * A + a) * B + i], int(column[(s * A + a) * B + i]), costs[s, a], False]
                           for i in range(B)] for a in range(A)} for s in range(S)}
    dump("pair.json", {"discount": 0.9, "P": P})


def main():
    os.makedirs(HERE, exist_ok=True)
    robot = build(ROBOT)
    export(robot, "robot.umb", io.CompressionMode.GZIP)
    export(robot, "robot-xz.umb", io.CompressionMode.XZ)
    export(robot, "robot-plain.umb", io.CompressionMode.NO_COMPRESSION)
    io.export_to_drn(robot, path("robot.drn"))
    for reward in ("time", "energy"):
        dump(f"robot-{reward}.json", table(robot, reward))
    labels = sorted(robot.labeling.get_labels() - {"init"})
    dump("robot-labels.json", {name: [s for s in range(robot.nr_states) if name in
                                      robot.labeling.get_labels_of_state(s)] for name in labels})
    rational(robot)
    chain = build(CHAIN)
    export(chain, "chain.umb", io.CompressionMode.GZIP)
    io.export_to_drn(chain, path("chain.drn"))
    export(build(QUEUE), "queue.umb", io.CompressionMode.GZIP)
    game()
    if len(sys.argv) > 1:
        petsc(sys.argv[1])


if __name__ == "__main__":
    main()
