"""check_events.py FOLDER prints the scalars that TensorBoard reads, in lines "TAG STEP VALUE"."""
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    for scalar in events.Scalars(tag):
        assert scalar.wall_time > 1.7e9, scalar
        print(tag, scalar.step, repr(scalar.value))
