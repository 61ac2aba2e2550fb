/// One box of continuous actions: scaling to the environment's units, random actions, and actions
/// of a Gaussian policy.
#ifndef CELI_BOX_H
#define CELI_BOX_H
#include "algo/off_policy.h"
#include "nn/dist.h"

/// A box of actions. The policy's output and the replay buffer hold scaled actions: within [-1, 1]
/// if the policy is squashed, else in the environment's units.
typedef struct CeliBox {
  CelAgent *agent;
  int64_t A;
  bool squash;
  float *scale, *shift; ///< (A,) environment's action = shift + scale * a
  float *out, *eps;     ///< (CELI_ACT_ROWS, A) scaled actions and noise, scratch of acting
} CeliBox;

/// Errors: CEL_E_UNSUPPORTED (not one box; unbounded where the policy is squashed).
CelStatus celi_box_declare(CeliBox *box, CelAgent *agent, bool squash) CEL_WARN_UNUSED;
/// The largest entropy, in nats of the scaled action, of a Gaussian policy with log sigma at most
/// `log_std_max`.
double celi_box_entropy_max(const CeliBox *box, double log_std_max);
/// After allocation: scale and shift from the bounds.
void celi_box_reset(CeliBox *box);
/// The space of scaled actions. The caller frees it; it is too large for a small stack.
/// Errors: CEL_E_MEMORY.
CelStatus celi_box_stored(const CeliBox *box, CelSpace **out) CEL_WARN_UNUSED;
/// out (n,A) environment's units from scaled ones.
void celi_box_unscale(const CeliBox *box, float *out, const float *scaled, int64_t n);
/// Uniform actions of n environments from `first` on, before learning starts: between the bounds,
/// or on [-1, 1] where an unsquashed policy has no bounds. counter (N,) blocks of each
/// environment's stream.
void celi_box_random(const CeliBox *box, float *scaled, int64_t first, int64_t n,
                     uint64_t *counter);
/// Samples from heads (n, 2A) of a Gaussian policy, for n environments from `first` on.
void celi_box_sample(const CeliBox *box, const CeliDistSpec *spec, float *scaled, const float *head,
                     int64_t first, int64_t n, uint64_t *counter);

/// Actions of all environments from a Gaussian actor: random before learning starts, else the mode
/// or a sample. CEL_EXPLORE also writes them to last_action.
void celi_box_act(const CeliBox *box, CeliActing *acting, CeliExperience *x,
                  const CeliDistSpec *spec, const float *obs, CelActMode mode, float *actions);
/// The modes at n observations.
void celi_box_predict(const CeliBox *box, CeliActing *acting, const CeliNormalizer *norm,
                      const CeliDistSpec *spec, const float *obs, int64_t n, float *actions);

#endif
