/// Writer of Cassandra's format (docs/files.md), one statement per line:
///
///     discount: 0.95     states: 5      T: a : s : s' p
///     values: reward     actions: 2     R: a : s : s' r     (R: a : s : * r for rewards of (s, a))
///     start: uniform, or start include: states, or start: one probability per state
#include "base/base.h"
#include "mdp/formats/cassandra.h"
#include "mdp/formats/formats.h"
#include <inttypes.h>

/// Checks that the format can express the MDP.
CelStatus celi_mdp_check_cassandra(const CelMdp *mdp) {
  static const char other[] = "; write .safetensors or .json instead";
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "Cassandra's format has no horizon, but this MDP has horizon %" PRId64 "%s",
                    mdp->horizon, other);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t n = mdp->pair[s + 1] - mdp->pair[s];
    if (n == 0) {
      return cel_fail(CEL_E_UNSUPPORTED,
                      "Cassandra's format has no terminal states, but state %" PRId64
                      " is terminal%s",
                      s, other);
    }
    if (n != mdp->max_actions || cel_mdp_action(mdp, s, mdp->pair[s + 1] - 1) != n - 1) {
      return cel_fail(
          CEL_E_UNSUPPORTED,
          "in Cassandra's format all states have the same actions, but those of state %" PRId64
          " are not 0 to %" PRId64 "%s",
          s, mdp->max_actions - 1, other);
    }
  }
  for (int64_t t = 0; mdp->ends && t < mdp->transitions; t++) {
    if (!mdp->ends[t]) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in Cassandra's format no transition ends the episode, but transition %" PRId64
                    " to state %" PRId64 " does%s",
                    t, cel_mdp_next(mdp, t), other);
  }
  return CEL_OK;
}

/// The number of initial states if all have the same probability, else 0.
static int64_t count_start(const CelMdp *mdp) {
  int64_t n = 0;
  double first = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!(mdp->start[s] > 0.0)) continue;
    if (n++ == 0) first = mdp->start[s];
    if (mdp->start[s] < first || mdp->start[s] > first) return 0;
  }
  return n;
}

static void emit_start(CeliOut *out, const CelMdp *mdp) {
  const int64_t n = count_start(mdp);
  if (n == mdp->states) {
    celi_out_format(out, "start: uniform\n");
    return;
  }
  celi_out_format(out, n > 0 ? "start include:" : "start:");
  for (int64_t s = 0; s < mdp->states; s++) {
    if (n > 0 && !(mdp->start[s] > 0.0)) continue;
    celi_out_format(out, " ");
    if (n > 0) {
      celi_out_index(out, s);
    } else {
      celi_out_double(out, mdp->start[s]);
    }
  }
  celi_out_format(out, "\n");
}

/// Writes "T: a : s : s' value" or "R: ...". next < 0 means all next states.
static void emit_entry(CeliOut *out, const char *table, int64_t a, int64_t s, int64_t next,
                       double value) {
  celi_out_format(out, "%s: %" PRId64 " : %" PRId64 " : ", table, a, s);
  if (next < 0) {
    celi_out_format(out, "*");
  } else {
    celi_out_index(out, next);
  }
  celi_out_format(out, " ");
  celi_out_double(out, value);
  celi_out_format(out, "\n");
}

static void emit_pair(CeliOut *out, const CelMdp *mdp, int64_t s, int64_t p) {
  const int64_t a = p - mdp->pair[s];
  for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
    emit_entry(out, "T", a, s, cel_mdp_next(mdp, t), mdp->probability[t]);
  }
  for (int64_t t = mdp->row[p]; mdp->reward_next && t < mdp->row[p + 1]; t++) {
    if (mdp->reward_next[t] < 0.0 || mdp->reward_next[t] > 0.0) {
      emit_entry(out, "R", a, s, cel_mdp_next(mdp, t), mdp->reward_next[t]);
    }
  }
  if (!mdp->reward_next && (mdp->reward[p] < 0.0 || mdp->reward[p] > 0.0)) {
    emit_entry(out, "R", a, s, -1, mdp->reward[p]);
  }
}

void celi_mdp_emit_cassandra(CeliOut *out, const CelMdp *mdp) {
  celi_out_format(out, "discount: ");
  celi_out_double(out, mdp->discount);
  celi_out_format(out, "\nvalues: reward\nstates: %" PRId64 "\nactions: %" PRId64 "\n", mdp->states,
                  mdp->max_actions);
  emit_start(out, mdp);
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) emit_pair(out, mdp, s, p);
  }
}

CelStatus celi_mdp_save_cassandra(const CelMdp *mdp, const char *path) {
  CELI_TRY(cel_fail_in(celi_mdp_check_cassandra(mdp), "%s: ", path));
  return celi_out_file(path, mdp, celi_mdp_emit_cassandra);
}
