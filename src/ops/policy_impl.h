/// Diagonal Gaussians (squashed by tanh or not), and the losses of soft actor-critic.
///
/// Lanes are rows, because A is small and the arrays have any column stride. VW rows are computed
/// at once. Sums over the A components run in increasing order within a lane.
///
/// Sample: sigma = exp(log_std), u = mean + sigma eps, action = u or tanh(u),
///   log p = sum_a [-eps^2/2 - log_std - log(2 pi)/2] - [squash] sum_a 2 (log 2 - u -
///   softplus(-2u)).
/// Backward with eps held: D = d_action act'(u) + [squash] 2 tanh(u) d_logp, since
///   -d/du log(1 - tanh(u)^2) = 2 tanh(u) and eps does not move; d_mean = D, and
///   d_log_std = D sigma eps - d_logp.
#ifndef CELI_POLICY_IMPL_H
#define CELI_POLICY_IMPL_H
#include "ops/math_impl.h"
#include "ops/ops.h"

#define HALF_LOG_2PI 0.918938533f
#define LOG_2 0.693147181f

static void gaussian_sample(float *action, ptrdiff_t lda, float *u, float *logp, const float *mean,
                            ptrdiff_t ldm, const float *log_std, ptrdiff_t lds, const float *eps,
                            int64_t begin, int64_t end, int64_t A, bool squash) {
  for (int64_t r = begin; r < end; r += VW) {
    const int64_t n = end - r;
    vf total = v_zero();
    for (int64_t a = 0; a < A; a++) {
      const vf e = v_load_strided(eps + r * A + a, A, n);
      const vf s = v_load_strided(log_std + r * lds + a, lds, n);
      vf x = v_fma(v_exp(s), e, v_load_strided(mean + r * ldm + a, ldm, n));
      total = total + (v_fma(e * e, v_set1(-0.5f), -s) - v_set1(HALF_LOG_2PI));
      if (u) v_store_strided(u + r * A + a, A, x, n);
      if (squash) {
        const vf log_slope = v_set1(LOG_2) - x - v_softplus(v_set1(-2.0f) * x);
        total = v_fma(v_set1(-2.0f), log_slope, total);
        x = v_tanh(x);
      }
      v_store_strided(action + r * lda + a, lda, x, n);
    }
    v_store_n(logp + r, total, n);
  }
}

static void gaussian_sample_backward(float *d_mean, ptrdiff_t lddm, float *d_log_std,
                                     ptrdiff_t ldds, const float *d_action, ptrdiff_t ldda,
                                     const float *d_logp, const float *action, ptrdiff_t lda,
                                     const float *log_std, ptrdiff_t lds, const float *eps,
                                     const float *raw_log_std, ptrdiff_t ldr, float lo, float hi,
                                     int64_t begin, int64_t end, int64_t A, bool squash) {
  for (int64_t r = begin; r < end; r += VW) {
    const int64_t n = end - r;
    const vf dl = v_load_n(d_logp + r, n);
    for (int64_t a = 0; a < A; a++) {
      vf du = v_load_strided(d_action + r * ldda + a, ldda, n);
      if (squash) {
        const vf t = v_load_strided(action + r * lda + a, lda, n);
        du = v_fma(t + t, dl, du * v_fma(-t, t, v_set1(1.0f)));
      }
      const vf sigma = v_exp(v_load_strided(log_std + r * lds + a, lds, n));
      vf ds = v_fma(du * sigma, v_load_strided(eps + r * A + a, A, n), -dl);
      if (lo < hi) {
        const vf raw = v_load_strided(raw_log_std + r * ldr + a, ldr, n);
        ds = v_sel(m_or(v_lt(raw, v_set1(lo)), v_lt(v_set1(hi), raw)), v_zero(), ds);
      }
      v_store_strided(d_mean + r * lddm + a, lddm, du, n);
      v_store_strided(d_log_std + r * ldds + a, ldds, ds, n);
    }
  }
}

/// The smaller of a and b; NaN if either is NaN.
INLINE vf smaller(vf a, vf b) {
  return v_sel(m_or(v_lt(b, a), v_nan(b)), b, a);
}

/// min over e, or the mean, of Q[e, r .. r + VW).
INLINE vf reduce_critics(const float *Q, int64_t E, int64_t B, int64_t r, int64_t n, bool mean) {
  vf q = v_load_n(Q + r, n);
  for (int64_t e = 1; e < E; e++) {
    const vf other = v_load_n(Q + e * B + r, n);
    q = mean ? q + other : smaller(q, other);
  }
  return mean ? q / v_set1((float)E) : q;
}

static void soft_target(float *y, const float *reward, const float *discount, const float *Qn,
                        const float *logp, const float *alpha, int64_t E, int64_t B, int64_t begin,
                        int64_t end, bool mean) {
  const vf minus_alpha = v_set1(-*alpha);
  for (int64_t r = begin; r < end; r += VW) {
    const int64_t n = end - r;
    const vf v = v_fma(minus_alpha, v_load_n(logp + r, n), reduce_critics(Qn, E, B, r, n, mean));
    v_store_n(y + r, v_fma(v_load_n(discount + r, n), v, v_load_n(reward + r, n)), n);
  }
}

static void squared_error(float *dQ, float *loss, const float *Q, const float *y, float scale,
                          int64_t E, int64_t B, int64_t begin, int64_t end) {
  for (int64_t e = 0; e < E; e++)
    for (int64_t r = begin; r < end; r += VW) {
      const int64_t n = end - r;
      const vf d = v_load_n(Q + e * B + r, n) - v_load_n(y + r, n);
      v_store_n(dQ + e * B + r, v_set1(scale) * d, n);
      v_store_n(loss + e * B + r, v_set1(0.5f) * d * d, n);
    }
}

static void actor_objective(float *dQ, float *q, float *loss, const float *Q, const float *logp,
                            const float *alpha, float scale, int64_t E, int64_t B, int64_t begin,
                            int64_t end, bool mean) {
  const vf share = v_set1(mean ? -scale / (float)E : -scale);
  for (int64_t r = begin; r < end; r += VW) {
    const int64_t n = end - r;
    const vf best = reduce_critics(Q, E, B, r, n, mean);
    vf open = v_set1(1.0f); // 1 until the minimum was found
    for (int64_t e = 0; e < E; e++) {
      const vf qe = v_load_n(Q + e * B + r, n);
      const vf here = v_sel(m_or(v_eq(qe, best), v_nan(qe)), open, v_zero());
      v_store_n(dQ + e * B + r, mean ? share : v_sel(v_lt(v_zero(), here), share, v_zero()), n);
      open = open - here;
    }
    v_store_n(q + r, best, n);
    v_store_n(loss + r, v_fma(v_set1(*alpha), v_load_n(logp + r, n), -best), n);
  }
}

/// Targets that quantile_huber holds in registers and cache at a time.
enum { QUANTILE_TARGETS = 64 };

/// Adds the terms of quantile Z with these targets to the gradient and the loss. NaN stays NaN:
/// v_min and v_max return their second argument for it.
INLINE void quantile_terms(vf *gradient, vf *loss, vf Z, const vf *y, int64_t n, float tau) {
  const vf one = v_set1(1.0f), below = v_set1(1.0f - tau), above = v_set1(tau);
  for (int64_t i = 0; i < n; i++) {
    const vf delta = y[i] - Z, clipped = v_max(-one, v_min(one, delta));
    const vf weighted = v_sel(v_lt(delta, v_zero()), below, above) * clipped;
    *gradient = *gradient + weighted;
    *loss = v_fma(weighted, v_fma(v_set1(-0.5f), clipped, delta), *loss);
  }
}

static void quantile_huber(float *dZ, float *loss, const float *Z, const float *y, float scale,
                           int64_t M, int64_t K, int64_t begin, int64_t end) {
  const vf each = v_set1(1.0f / (float)(M * K)), slope = v_set1(-scale / (float)(M * K));
  vf target[QUANTILE_TARGETS];
  for (int64_t r = begin; r < end; r += VW) {
    const int64_t n = end - r;
    vf total = v_zero();
    for (int64_t at = 0; at < K; at += QUANTILE_TARGETS) {
      const int64_t count = K - at < QUANTILE_TARGETS ? K - at : QUANTILE_TARGETS;
      for (int64_t i = 0; i < count; i++) target[i] = v_load_strided(y + r * K + at + i, K, n);
      for (int64_t j = 0; j < M; j++) {
        vf gradient = at == 0 ? v_zero() : v_load_strided(dZ + r * M + j, M, n);
        quantile_terms(&gradient, &total, v_load_strided(Z + r * M + j, M, n), target, count,
                       (float)(2 * j + 1) / (float)(2 * M));
        v_store_strided(dZ + r * M + j, M, gradient, n);
      }
    }
    for (int64_t j = 0; j < M; j++)
      v_store_strided(dZ + r * M + j, M, slope * v_load_strided(dZ + r * M + j, M, n), n);
    v_store_n(loss + r, each * total, n);
  }
}

#endif
