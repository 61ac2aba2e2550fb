/// Exploration noise that is added to a policy's action: normal or Ornstein-Uhlenbeck (OU). Also
/// generalized state-dependent exploration (gSDE), which replaces the policy's own noise.
#ifndef CELI_NOISE_H
#define CELI_NOISE_H
#include "celsius/rng.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

typedef enum CeliNoiseKind {
  CELI_NOISE_NONE,
  CELI_NOISE_NORMAL,
  CELI_NOISE_OU,
  CELI_NOISE_GSDE
} CeliNoiseKind;

/// Additive noise of N environments. Its state is saved.
typedef struct CeliNoise {
  CeliNoiseKind kind;
  int64_t N, A;
  double sigma, theta, dt; ///< OU: x += -theta x dt + sigma sqrt(dt) n
  double limit; ///< actions are clipped to +-limit; 1 after declaring; the caller may change it
  uint64_t seed;
  double *x;         ///< (N,A) OU's state, role CEL_STATE
  uint64_t *counter; ///< (N,) blocks used, role CEL_STATE
} CeliNoise;
CelStatus celi_noise_declare(CeliNoise *noise, CelTensors *tensors, const char *name,
                             CeliNoiseKind kind, int64_t N, int64_t A, double sigma, double theta,
                             double dt, uint64_t seed) CEL_WARN_UNUSED;
/// Adds noise from stream i of (seed, CEL_RNG_EXPLORE) to row i of action (N,A) and clips it to
/// [-limit, limit]. `start` (N,) is 1 where an episode starts; there OU returns to zero.
void celi_noise_add(CeliNoise *noise, float *action, const uint8_t *start);

/// gSDE on B rows: noise = latent M, M = sd E with E ~ N(0,1) (H,A), fixed for some steps. sd =
/// exp(log_std), or expln(log_std). The marginal distribution of the action is N(mean, latent^2
/// sd^2). Plans keep the address.
/// Source: Raffin, Kober, Stulp, "Smooth exploration for robotic reinforcement learning", CoRL
/// 2021.
typedef struct CeliGsde {
  int64_t B, H, A;
  bool squash;
  /// sd = expln(log_std), which grows slowly: exp(x) for x <= 0, 1 + log(1 + x) above. Belongs to
  /// the use that owns log_std; set it after declaring the parameter.
  bool expln;
  const struct CeliGsde *with; ///< the use that owns log_std, or NULL
  float *log_std;              ///< (H,A) role CEL_PARAM, or NULL
  float *d_log_std;            ///< (H,A) role CEL_GRAD
  // scratch of one use on B rows:
  float *E, *M, *Mt;                  ///< (H,A), (H,A), (A,H)
  float *var_w, *var_wt;              ///< (H,A) sd^2, (A,H)
  float *latent2;                     ///< (B,H)
  float *noise, *var, *u, *logp;      ///< (B,A), (B,A), (B,A), (B,)
  float *d_logp;                      ///< (B,) set by the caller
  float *d_noise, *d_var, *d_latent2; ///< (B,A), (B,A), (B,H)
  float *d_M, *d_var_w;               ///< (H,A), (H,A)
} CeliGsde;
/// Declares "NAME.log_std" with its gradient and moments. Must be the first call on a use.
CelStatus celi_gsde_declare_param(CeliGsde *gsde, CelTensors *tensors, const char *name, int64_t H,
                                  int64_t A) CEL_WARN_UNUSED;
/// Declares the scratch of a use on B rows. Errors: as cel_tensors_declare; CEL_E_RANGE (B).
CelStatus celi_gsde_declare(CeliGsde *gsde, CelTensors *tensors, const char *name, int64_t B,
                            bool squash) CEL_WARN_UNUSED;
/// Declares another use on B rows with the parameters of `with`.
CelStatus celi_gsde_declare_shared(CeliGsde *gsde, CelTensors *tensors, const char *name,
                                   const CeliGsde *with, int64_t B) CEL_WARN_UNUSED;
/// action and logp from mean (B,A) ldm and latent (B,H) ldl, with one E for the whole batch. E is
/// drawn from block *counter of (seed, CEL_RNG_NOISE, index) and uses celi_gsde_blocks blocks.
void celi_gsde_plan_sample(CeliPlan *plan, const CeliGsde *gsde, float *action, ptrdiff_t lda,
                           const float *mean, ptrdiff_t ldm, const float *latent, ptrdiff_t ldl,
                           uint64_t seed, uint32_t index, const uint64_t *counter);
/// The same with the numbers in gsde->E.
void celi_gsde_plan_sample_given(CeliPlan *plan, const CeliGsde *gsde, float *action, ptrdiff_t lda,
                                 const float *mean, ptrdiff_t ldm, const float *latent,
                                 ptrdiff_t ldl);
uint64_t celi_gsde_blocks(const CeliGsde *gsde);
/// d_mean (B,A), d_latent (B,H) (overwritten) and d_log_std from d_action and d_logp.
void celi_gsde_plan_backward(CeliPlan *plan, const CeliGsde *gsde, float *d_mean, ptrdiff_t lddm,
                             float *d_latent, ptrdiff_t lddl, const float *d_action, ptrdiff_t ldda,
                             const float *action, ptrdiff_t lda, const float *latent,
                             ptrdiff_t ldl);

/// gSDE for given actions, for score-function learners: the head (B, 2A) = (mean, log sigma) of an
/// ordinary Gaussian (nn/dist.h), sigma^2 = latent^2 sd^2 + 1e-6. No gradient flows from sigma into
/// the latent, as in Stable-Baselines3. One use on B rows. Plans keep its address.
typedef struct CeliGsdeHead {
  int64_t B, H, A;
  const CeliGsde *with; ///< owns log_std (H,A) and its gradient
  float *head, *d_head; ///< (B,2A); the gradient is set by the caller
  // scratch:
  float *var_w, *latent2, *var; ///< (H,A), (B,H), (B,A)
  float *d_var, *d_var_w;       ///< (B,A), (H,A)
} CeliGsdeHead;
/// Errors: as cel_tensors_declare; CEL_E_RANGE (B).
CelStatus celi_gsde_head_declare(CeliGsdeHead *use, CelTensors *tensors, const char *name,
                                 const CeliGsde *with, int64_t B) CEL_WARN_UNUSED;
/// head from mean (B,A) ldm and latent (B,H) ldl.
void celi_gsde_plan_head(CeliPlan *plan, const CeliGsdeHead *use, const float *mean, ptrdiff_t ldm,
                         const float *latent, ptrdiff_t ldl);
/// d_mean (B,A) from d_head. Also prepares the gradient of log_std.
void celi_gsde_plan_head_backward(CeliPlan *plan, const CeliGsdeHead *use, float *d_mean,
                                  ptrdiff_t lddm);
/// d_log_std. It belongs in the stage of the weight gradients.
void celi_gsde_plan_head_param(CeliPlan *plan, const CeliGsdeHead *use);
/// The head's derivative t_head (B,2A) along t_mean (B,A) and t_log_std (H,A): t_log_sigma =
/// latent^2 (sd sd' t_log_std) / var. Overwrites the results of the backward pass.
void celi_gsde_plan_head_tangent(CeliPlan *plan, const CeliGsdeHead *use, float *t_head,
                                 const float *t_mean, const float *t_log_std);

/// Without a plan: var_w (H,A) = sd^2.
void celi_gsde_variances(const CeliGsde *gsde, float *var_w);
/// Without a plan: rows of head (n,2A) from mean (n,A) and latent (n,H), with the same bits as in a
/// plan. latent2 (n,H) and var (n,A) are scratch.
void celi_gsde_head_rows(float *head, const float *mean, const float *latent, const float *var_w,
                         float *latent2, float *var, int64_t n, int64_t H, int64_t A);
/// Without a plan: M (H,A) in place, from standard normals to sd M.
void celi_gsde_scale(const CeliGsde *gsde, float *M);
/// Without a plan: one action (A,) from mean (A,), latent (H,) and the current matrix M (H,A); tanh
/// if `squash`.
void celi_gsde_act(float *action, const float *mean, const float *latent, const float *M, int64_t H,
                   int64_t A, bool squash);

#endif
