/// The sign of the largest mean of r + alpha H per step in an end component.
///
/// Let T be the backup with only the component's pairs. If Th - h >= g > 0 at all its states for
/// some h, then the policy of h stays in the component and earns at least g a step. If
/// Th - h <= -g < 0, no policy earns more than -g a step. Value iteration with half steps makes
/// the least and largest Th - h converge to the mean, because a component is connected.
///
/// Rounding errors of Th - h are below `margin`, so a sign is certain. If neither sign is found
/// after a number of steps, the answer is 0: the mean is 0 or too close to it.
/// Source: Puterman, "Markov decision processes", 1994, 8.5 and 9.5.
#include "mdp/backup/values.h"
#include "mdp/interrupt.h"
#include "mdp/total/total.h"
#include <math.h>

enum { LEAST_STEPS = 50, MOST_STEPS = 5000 };
static const double WORK = 3e8; ///< transitions to visit at most, beyond LEAST_STEPS

typedef struct Gain {
  const CeliTotal *total;
  const uint32_t *state;
  int64_t n;
  const uint8_t *use;
  double *h, *backup;
  double rewards;  ///< largest |r|
  int64_t longest; ///< transitions of the longest row
  double work;     ///< transitions of the component
} Gain;

static void measure(Gain *gain) {
  const CelMdp *mdp = gain->total->mdp;
  for (int64_t i = 0; i < gain->n; i++) {
    const uint32_t s = gain->state[i];
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      if (!gain->use[p]) continue;
      const int64_t n = mdp->row[p + 1] - mdp->row[p];
      gain->rewards = fmax(gain->rewards, fabs(mdp->reward[p]));
      gain->longest = n > gain->longest ? n : gain->longest;
      gain->work += (double)n;
    }
  }
}

static double backup_state(const Gain *gain, uint32_t s) {
  const CeliTotal *total = gain->total;
  const CelMdp *mdp = total->mdp;
  int64_t n = 0;
  for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
    if (!gain->use[p] || total->inner[p]) continue;
    double sum = 0.0;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      uint32_t node;
      if (celi_graph_next(mdp, t, &node)) sum += mdp->probability[t] * gain->h[total->rep[node]];
    }
    total->q[n++] = celi_total_reward(total, p) + sum;
  }
  return n > 0 ? celi_soft_max(total->q, n, total->alpha) : -HUGE_VAL;
}

/// One step. Returns the certain sign, or 0.
static int step(Gain *gain) {
  const CeliTotal *total = gain->total;
  double low = HUGE_VAL, high = -HUGE_VAL, most = 0.0;
  for (int64_t i = 0; i < gain->n; i++) gain->backup[total->rep[gain->state[i]]] = -HUGE_VAL;
  for (int64_t i = 0; i < gain->n; i++) {
    double *to = &gain->backup[total->rep[gain->state[i]]];
    *to = fmax(*to, backup_state(gain, gain->state[i]));
  }
  for (int64_t i = 0; i < gain->n; i++) {
    const uint32_t s = gain->state[i];
    if (total->rep[s] != s) continue;
    const double difference = gain->backup[s] - gain->h[s];
    low = fmin(low, difference), high = fmax(high, difference);
    most = fmax(most, fabs(gain->h[s]));
  }
  const double A = (double)total->mdp->max_actions, n = (double)gain->longest;
  const double margin =
      8.0 * 0x1p-53 *
      ((n + 10.0) * (most + gain->rewards) + total->alpha * (A + 8.0 + 12.0 * log(A)));
  if (low > margin) return 1;
  if (high < -margin) return -1;
  for (int64_t i = 0; i < gain->n; i++) {
    const uint32_t s = gain->state[i];
    if (total->rep[s] == s) gain->h[s] += 0.5 * (gain->backup[s] - gain->h[s] - low);
  }
  return 0;
}

int celi_total_gain(const CeliTotal *total, const uint32_t *state, int64_t n, const uint8_t *use,
                    double *h, double *backup) {
  Gain gain = {.total = total, .state = state, .n = n, .use = use, .h = h, .backup = backup};
  measure(&gain);
  for (int64_t i = 0; i < n; i++) h[total->rep[state[i]]] = 0.0;
  const double steps = fmin(MOST_STEPS, LEAST_STEPS + WORK / (gain.work + 1.0));
  for (int i = 0; i < (int)steps && !celi_interrupted(); i++) {
    const int sign = step(&gain);
    if (sign != 0) return sign;
  }
  return 0;
}
