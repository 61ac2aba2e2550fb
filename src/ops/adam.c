/// The serial part of an Adam step: its counter and bias corrections.
#include "ops/ops.h"
#include <float.h>
#include <math.h>

/// The next power of beta. Returns 0 instead of a subnormal number, because rounding would keep it
/// forever.
static double power(double last, double beta) {
  const double next = last * beta;
  return next > DBL_MIN ? next : 0;
}

void celi_adam_advance(CeliAdamStep *step) {
  if (step->t == 0) step->beta1_power = step->beta2_power = 1.0;
  step->t++;
  step->beta1_power = power(step->beta1_power, step->beta1);
  step->beta2_power = power(step->beta2_power, step->beta2);
  step->step_size = (float)((double)step->learning_rate / (1.0 - step->beta1_power));
  step->inv_sqrt_bias2 = (float)(1.0 / sqrt(1.0 - step->beta2_power));
}
