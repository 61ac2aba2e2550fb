/// Pictures.
#include "mujoco_env.h"

void celi_mujoco_render(const CelEnvSpec *spec, const double *state, CelCanvas *canvas) {
  (void)spec, (void)state, (void)canvas;
}
