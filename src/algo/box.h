/// Continuous actions of learners from a replay buffer: what a policy gives, in the environment's units, and random ones.
#ifndef CELI_BOX_H
#define CELI_BOX_H
#include "algo/off_policy.h"
#include "nn/dist.h"

/// A box of actions. Scaled ones are what the policy gives and the replay buffer keeps: within [-1, 1] where the policy
/// is squashed, and the environment's own where it is not.
typedef struct CeliBox {
  CelAgent *agent;
  int64_t A;
  bool squash;
  float *scale, *shift; ///< (A,) environment's action = shift + scale * a
  float *out, *eps;     ///< (CELI_ACT_ROWS, A) scaled actions and noise of rows that act
} CeliBox;

/// Errors: CEL_E_UNSUPPORTED (not one box; unbounded where the policy is squashed).
CelStatus celi_box_declare(CeliBox *box, CelAgent *agent, bool squash) CEL_WARN_UNUSED;
/// The largest entropy, in nats of the scaled action, of a Gaussian policy whose log sigma is at most `log_std_max`.
double celi_box_entropy_max(const CeliBox *box, double log_std_max);
/// After allocation: scale and shift from the bounds.
void celi_box_reset(CeliBox *box);
/// The space of scaled actions. The caller frees it; it is too large for a small stack.
/// Errors: CEL_E_MEMORY.
CelStatus celi_box_stored(const CeliBox *box, CelSpace **out) CEL_WARN_UNUSED;
/// out (n,A) environment's units from scaled ones.
void celi_box_unscale(const CeliBox *box, float *out, const float *scaled, int64_t n);
/// Uniform actions of environments first.. before learning starts: between the bounds, or on [-1, 1] where an
/// unsquashed policy has none. counter (N,) blocks of each environment's stream.
void celi_box_random(const CeliBox *box, float *scaled, int64_t first, int64_t n,
                     uint64_t *counter);
/// Samples of a Gaussian policy's heads (n, 2A) for environments first.. .
void celi_box_sample(const CeliBox *box, const CeliDistSpec *spec, float *scaled, const float *head,
                     int64_t first, int64_t n, uint64_t *counter);

/// Actions of all environments from a Gaussian actor: random while learning has not started, its mode, or drawn; in
/// CEL_EXPLORE remembered as the last action.
void celi_box_act(const CeliBox *box, CeliActing *acting, CeliExperience *x,
                  const CeliDistSpec *spec, const float *obs, CelActMode mode, float *actions);
/// The modes at n observations.
void celi_box_predict(const CeliBox *box, CeliActing *acting, const CeliNormalizer *norm,
                      const CeliDistSpec *spec, const float *obs, int64_t n, float *actions);

#endif
