/// Explicit formats: from arrays to a CelMdp, and the names that are written.
#include "mdp/formats/explicit.h"
#include "base/base.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- reading

static int64_t first_pair(const CeliExplicit *from, int64_t s) {
  return from->pair ? (int64_t)from->pair[s] : s;
}

static int64_t first_transition(const CeliExplicit *from, int64_t p) {
  return from->row ? (int64_t)from->row[p] : p;
}

/// True if the action numbers ascend within each state, so that they can be kept.
static bool are_numbered(const CeliExplicit *from) {
  if (!from->action) return false;
  for (int64_t s = 0; s < from->states; s++) {
    const int64_t begin = first_pair(from, s), end = first_pair(from, s + 1);
    for (int64_t p = begin; p < end; p++) {
      if (from->action[p] >= INT32_MAX) return false;
      if (p > begin && from->action[p] <= from->action[p - 1]) return false;
    }
  }
  return true;
}

static bool is_zero(double x) {
  return !(x < 0.0 || x > 0.0);
}

/// True if the only choice of a deadlock is a self-loop without reward.
static bool is_mended(const CeliExplicit *from, const uint8_t *deadlock, int64_t s) {
  const int64_t p = first_pair(from, s);
  if (!deadlock || !deadlock[s] || first_pair(from, s + 1) != p + 1) return false;
  for (int64_t t = first_transition(from, p); t < first_transition(from, p + 1); t++) {
    if (from->next[t] != (uint64_t)s) return false;
    for (int64_t i = 0; i < from->rewards; i++)
      if (from->reward[i].transition && !is_zero(from->reward[i].transition[t])) return false;
  }
  for (int64_t i = 0; i < from->rewards; i++) {
    const CelMdpReward *model = &from->reward[i];
    if (model->state && !is_zero(model->state[s])) return false;
    if (model->pair && !is_zero(model->pair[p])) return false;
  }
  return true;
}

static CelStatus put_pair(CelMdpBuilder *builder, const CeliExplicit *from, int64_t s, int64_t p,
                          int64_t action) {
  CELI_TRY(cel_mdp_pair(builder, s, action, 0.0));
  for (int64_t i = 0; i < from->rewards; i++)
    if (from->reward[i].pair) CELI_TRY(cel_mdp_reward_of_pair(builder, i, from->reward[i].pair[p]));
  for (int64_t t = first_transition(from, p); t < first_transition(from, p + 1); t++) {
    if (from->next[t] >= (uint64_t)from->states) {
      return cel_fail(CEL_E_CORRUPT,
                      "state %" PRId64 ", choice %" PRId64 ": next state %" PRIu64
                      " is out of range; states are 0 to %" PRId64,
                      s, p - first_pair(from, s), from->next[t], from->states - 1);
    }
    CELI_TRY(cel_mdp_transition(builder, (int64_t)from->next[t],
                                from->probability ? from->probability[t] : 1.0, 0.0, false));
    for (int64_t i = 0; i < from->rewards; i++)
      if (from->reward[i].transition)
        CELI_TRY(cel_mdp_reward_of_transition(builder, i, from->reward[i].transition[t]));
  }
  return CEL_OK;
}

/// Adds the labels. "init" is left out if it is the set of initial states.
static CelStatus put_labels(CelMdpBuilder *builder, const CeliExplicit *from,
                            const uint8_t **deadlock) {
  for (int64_t i = 0; i < from->labels; i++) {
    const CelMdpLabel *label = &from->label[i];
    if (strcmp(label->name, "deadlock") == 0) *deadlock = label->in;
    if (strcmp(label->name, "init") == 0 && from->initial &&
        memcmp(label->in, from->initial, (size_t)from->states) == 0) {
      continue;
    }
    CELI_TRY(cel_mdp_label(builder, label->name, label->in));
  }
  return CEL_OK;
}

static CelStatus put_rewards(CelMdpBuilder *builder, const CeliExplicit *from) {
  int64_t index;
  for (int64_t i = 0; i < from->rewards; i++) {
    const double *state = from->reward[i].state;
    CELI_TRY(cel_mdp_reward_model(builder, from->reward[i].name, &index));
    for (int64_t s = 0; state && s < from->states; s++)
      CELI_TRY(cel_mdp_reward_of_state(builder, i, s, state[s]));
  }
  return CEL_OK;
}

static CelStatus put_start(CelMdpBuilder *builder, const CeliExplicit *from) {
  int64_t n = 0;
  for (int64_t s = 0; from->initial && s < from->states; s++) n += from->initial[s];
  for (int64_t s = 0; n > 0 && s < from->states; s++)
    if (from->initial[s]) CELI_TRY(cel_mdp_start(builder, s, 1.0 / (double)n));
  for (int64_t s = 0; from->start && s < from->states; s++)
    CELI_TRY(cel_mdp_start(builder, s, from->start[s]));
  return CEL_OK;
}

static CelStatus fill(CelMdpBuilder *builder, const CeliExplicit *from) {
  const uint8_t *deadlock = NULL;
  const bool numbered = are_numbered(from);
  if (from->name && from->name[0])
    CELI_TRY(cel_mdp_set_name(builder, from->name));
  else
    CELI_TRY(celi_name_put(builder, from->file));
  CELI_TRY(cel_mdp_builder_reserve(builder, from->pairs, from->transitions));
  CELI_TRY(put_labels(builder, from, &deadlock));
  CELI_TRY(put_rewards(builder, from));
  for (int64_t s = 0; s < from->states; s++) {
    if (is_mended(from, deadlock, s)) continue;
    const int64_t begin = first_pair(from, s);
    for (int64_t p = begin; p < first_pair(from, s + 1); p++)
      CELI_TRY(put_pair(builder, from, s, p, numbered ? (int64_t)from->action[p] : p - begin));
  }
  return put_start(builder, from);
}

static CelStatus build(CelMdp **out, const CeliExplicit *from, double discount, int64_t horizon,
                       const char *reward) {
  CelMdpBuilder *builder;
  CelMdp *mdp = NULL;
  CELI_TRY(cel_mdp_builder_create(&builder, from->states, discount, horizon));
  CelStatus status = fill(builder, from);
  if (status == CEL_OK) status = cel_mdp_build(builder, &mdp);
  cel_mdp_builder_destroy(builder);
  if (status == CEL_OK) status = celi_mdp_choose_reward(mdp, reward);
  if (status != CEL_OK) {
    cel_mdp_destroy(mdp);
    return status;
  }
  mdp->left_out = from->left_out;
  *out = mdp;
  return CEL_OK;
}

CelStatus celi_explicit_build(CelMdp **out, const CeliExplicit *from,
                              const CelMdpLoadOptions *options) {
  double discount = from->discount;
  int64_t horizon = 0;
  CELI_TRY(celi_load_choose(from->file, options, &discount, &horizon));
  return cel_fail_in(build(out, from, discount, horizon, options->reward), "%s: ", from->file);
}

// ---- writing

static bool is_terminal(const CelMdp *mdp, int64_t s) {
  return mdp->pair[s + 1] == mdp->pair[s];
}

static CelStatus check_start(const CelMdp *mdp, const char *whose) {
  double first = 0.0;
  for (int64_t s = 0; s < mdp->states; s++) {
    if (!(mdp->start[s] > 0.0)) continue;
    if (!(first > 0.0)) first = mdp->start[s];
    if (!(mdp->start[s] < first || mdp->start[s] > first)) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in %s all initial states have the same probability, but state %" PRId64
                    " has %g and another state %g; write .safetensors or .json instead",
                    whose, s, mdp->start[s], first);
  }
  return CEL_OK;
}

CelStatus celi_explicit_check(const CelMdp *mdp, const char *whose) {
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s have no horizon, but this MDP has horizon %" PRId64
                    "; write .safetensors or .json instead",
                    whose, mdp->horizon);
  }
  for (int64_t t = 0; mdp->ends && t < mdp->transitions; t++) {
    if (!mdp->ends[t] || is_terminal(mdp, cel_mdp_next(mdp, t))) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in %s an episode ends in a state without actions, but transition %" PRId64
                    " ends it in state %" PRId64
                    ", which has actions; write .safetensors or .json instead",
                    whose, t, cel_mdp_next(mdp, t));
  }
  return check_start(mdp, whose);
}

bool celi_explicit_own_rewards(const CelMdp *mdp) {
  if (mdp->reward_chosen) return false;
  for (int64_t p = 0; p < mdp->pairs; p++)
    if (!is_zero(mdp->reward[p])) return true;
  for (int64_t t = 0; mdp->reward_next && t < mdp->transitions; t++)
    if (!is_zero(mdp->reward_next[t])) return true;
  return false;
}

static const CelMdpLabel *find_label(const CelMdp *mdp, const char *name) {
  for (int64_t i = 0; i < mdp->labels; i++)
    if (strcmp(mdp->label[i].name, name) == 0) return &mdp->label[i];
  return NULL;
}

static CelStatus list_labels(const CelMdp *mdp, CeliExplicitNames *out) {
  const CelMdpLabel *init = find_label(mdp, "init"), *deadlock = find_label(mdp, "deadlock");
  bool any = deadlock != NULL;
  for (int64_t s = 0; init && s < mdp->states; s++) {
    if (init->in[s] == (mdp->start[s] > 0.0)) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "label \"init\" differs from the initial states, which it means in these "
                    "files; write .safetensors instead");
  }
  CELI_TRY(celi_calloc(&out->label, (size_t)mdp->labels + 1, sizeof *out->label, "labels"));
  CELI_TRY(celi_calloc(&out->deadlock, (size_t)mdp->states, 1, "labels"));
  for (int64_t s = 0; s < mdp->states; s++) {
    out->deadlock[s] = is_terminal(mdp, s) || (deadlock && deadlock->in[s]);
    any |= out->deadlock[s];
  }
  for (int64_t i = 0; i < mdp->labels; i++) {
    if (&mdp->label[i] == init) continue;
    CelMdpLabel *to = &out->label[out->labels++];
    *to = mdp->label[i];
    if (&mdp->label[i] == deadlock) to->in = out->deadlock;
  }
  if (any && !deadlock) {
    CelMdpLabel *to = &out->label[out->labels++];
    snprintf(to->name, sizeof to->name, "deadlock");
    to->in = out->deadlock;
  }
  return CEL_OK;
}

static bool is_taken(const CelMdp *mdp, const char *name) {
  for (int64_t i = 0; i < mdp->reward_models; i++)
    if (strcmp(mdp->reward_model[i].name, name) == 0) return true;
  return false;
}

static CelStatus list_rewards(const CelMdp *mdp, CeliExplicitNames *out) {
  CELI_TRY(
      celi_calloc(&out->reward, (size_t)mdp->reward_models + 1, sizeof *out->reward, "rewards"));
  if (mdp->reward_models > 0)
    memcpy(out->reward, mdp->reward_model, (size_t)mdp->reward_models * sizeof *out->reward);
  out->rewards = mdp->reward_models;
  if (!celi_explicit_own_rewards(mdp)) return CEL_OK;
  CelMdpReward *own = &out->reward[out->rewards++];
  snprintf(own->name, sizeof own->name, "reward");
  for (int i = 2; is_taken(mdp, own->name); i++)
    snprintf(own->name, sizeof own->name, "reward%d", i);
  if (mdp->reward_next)
    own->transition = mdp->reward_next;
  else
    own->pair = mdp->reward;
  return CEL_OK;
}

CelStatus celi_explicit_names(const CelMdp *mdp, CeliExplicitNames *out) {
  *out = (CeliExplicitNames){.labels = 0};
  CELI_TRY(list_labels(mdp, out));
  return list_rewards(mdp, out);
}

void celi_explicit_names_free(CeliExplicitNames *names) {
  free(names->label);
  free(names->reward);
  free(names->deadlock);
}
