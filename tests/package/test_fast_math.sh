#!/bin/bash
# A plug-in that is linked with -ffast-math does not change any result. Loading it runs gcc's
# crtfastmath.o, which flushes subnormal numbers to zero in the loading thread. The reward of the
# environment shows which floating-point state its step runs in.
set -u
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W" || exit 1
cat >probe.c <<'EOF'
#include <celsius/env.h>
#include <math.h>
static CelStatus e_open(CelEnvSpec *s) {
  s->observation = cel_space_box(1, -1, 1), s->action = cel_space_box(1, -1, 1), s->state_size = 1;
  return CEL_OK;
}
static CelStatus e_reset(const CelEnvSpec *s, double *x, void *o, CelRng *r) {
  (void)s, (void)r, x[0] = 0, ((float *)o)[0] = 1;
  return CEL_OK;
}
static CelStatus e_step(const CelEnvSpec *s, double *x, int64_t n, const void *a, void *o,
                        float *reward, uint8_t *terminated, CelRng *r) {
  volatile double tiny = 1e-300, product;
  (void)s, (void)x, (void)a, (void)r;
  product = tiny * 1e-10;
  for (int64_t i = 0; i < n; i++) reward[i] = product > 0, terminated[i] = 0, ((float *)o)[i] = 1;
  return CEL_OK;
}
static const CelEnvType type = {.abi = CEL_ENV_ABI, .id = "Probe-v0",
    .doc = "shows whether subnormal numbers are kept", .max_episode_steps = 10,
    .reward_threshold = (double)NAN, .open = e_open, .reset = e_reset, .step = e_step};
const CelEnvType *Probe(void);
const CelEnvType *Probe(void) { return &type; }
EOF
cat >loader.c <<'EOF'
#include <dlfcn.h>
int main(int argc, char **argv) {
  volatile double tiny = 1e-300;
  return argc < 2 || !dlopen(argv[1], RTLD_NOW) ? 2 : tiny * 1e-10 > 0;
}
EOF
"$CELSIUS_CC" -O1 -fPIC -I"$CELSIUS_SOURCE_DIR/include" -c probe.c -o probe.o &&
  "$CELSIUS_CC" -O1 loader.c -o loader -ldl || exit 1
bad=0
for kind in plain fast; do
  flag=; [ $kind = plain ] || flag=-ffast-math
  mkdir $kind
  "$CELSIUS_CC" -shared $flag probe.o -o $kind/probe.so -L"$CELSIUS_BUILD_DIR" -lcelsius \
    -Wl,-rpath,"$CELSIUS_BUILD_DIR" || exit 1
  (cd $kind && "$CELSIUS_BIN" train sac --env ./probe.so:Probe --steps 300 --net-arch 8 \
    --batch-size 16 --learning-starts 50 --eval-episodes 2 --seed 1 --quiet --out run >log 2>&1) ||
    { cat $kind/log; exit 1; }
  (cd $kind && "$CELSIUS_BIN" eval run --allow-plugins --which final --episodes 2 >eval 2>&1) ||
    { cat $kind/eval; exit 1; }
done
./loader fast/probe.so; flushed=$?
[ $flushed = 0 ] ||
  echo "note: with this compiler, loading a -ffast-math object does not change the thread's state"
cmp plain/run/final.safetensors fast/run/final.safetensors || bad=1
diff <(tail -n +2 plain/eval) <(tail -n +2 fast/eval) || bad=1 # the first line names the folder
grep -E 'mean return +10(\.0*)?,' fast/eval >/dev/null ||
  { echo "a subnormal number was flushed to zero in a step:"; cat fast/eval; bad=1; }
exit $bad
