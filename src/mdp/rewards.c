/// Named reward models of an MDP: checks, selection by name, and r(s,a,s') of the selected one.
///
///     r(s,a,s') = state(s) + pair(s,a) + transition(s,a,s'),   r(s,a) = sum_s' P(s'|s,a) r(s,a,s')
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CelStatus celi_mdp_check_name(const char *name, const char *what) {
  const bool fits = strnlen(name, CEL_TEXT_MAX) < CEL_TEXT_MAX,
             plain = fits && celi_text_plain(name);
  if (plain && name[0]) return CEL_OK;
  return cel_fail(CEL_E_NAME, "a %s %s; the name must be printable text of 1 to %d bytes", what,
                  !fits     ? "has a name that is too long"
                  : name[0] ? "has a name with control characters or invalid UTF-8"
                            : "has no name",
                  CEL_TEXT_MAX - 1);
}

/// The reward of state s and pair p, without the transition's.
static double base_of(const CelMdpReward *model, int64_t s, int64_t p) {
  return (model->state ? model->state[s] : 0.0) + (model->pair ? model->pair[p] : 0.0);
}

// ---- checks

static CelStatus check_array(const CelMdpReward *model, const char *part, const double *x,
                             int64_t n) {
  for (int64_t i = 0; x && i < n; i++) {
    if (isfinite(x[i])) continue;
    return cel_fail(CEL_E_RANGE,
                    "reward model \"%s\": the reward of %s %" PRId64
                    " is %g; it must be a finite number",
                    model->name, part, i, x[i]);
  }
  return CEL_OK;
}

/// Checks that r(s,a) is the mean of the chosen model. `reward_next` is checked against r(s,a).
static CelStatus check_chosen(const CelMdp *mdp) {
  const CelMdpReward *chosen = mdp->reward_chosen;
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      const double base = base_of(chosen, s, p);
      double mean = base, size = fabs(base), sum = 0.0;
      for (int64_t t = mdp->row[p]; chosen->transition && t < mdp->row[p + 1]; t++) {
        sum += mdp->probability[t];
        mean += mdp->probability[t] * chosen->transition[t];
        size += mdp->probability[t] * fabs(chosen->transition[t]);
      }
      const double off =
          chosen->transition ? fabs(sum - 1.0) : 0.0; // rows of a file, not yet exact
      if (fabs(mean - mdp->reward[p]) <= (CELI_MDP_MEAN + 2.0 * off) * size + 1e-300) continue;
      return cel_fail(CEL_E_RANGE,
                      "state %" PRId64 ", action %" PRId64
                      ": the reward is %.17g, but the selected reward model \"%s\" has %.17g",
                      s, cel_mdp_action(mdp, s, p), mdp->reward[p], chosen->name, mean);
    }
  }
  return CEL_OK;
}

CelStatus celi_mdp_check_rewards(const CelMdp *mdp) {
  const CelMdpReward *model = mdp->reward_model, *chosen = mdp->reward_chosen;
  const int64_t K = mdp->reward_models;
  if (K < 0 || K > CELI_MDP_NAMES || (K > 0 && !model)) {
    return cel_fail(CEL_E_RANGE, "%" PRId64 " reward models: give an array of 0 to %d", K,
                    CELI_MDP_NAMES);
  }
  for (int64_t i = 0; i < K; i++) {
    CELI_TRY(celi_mdp_check_name(model[i].name, "reward model"));
    for (int64_t k = 0; k < i; k++) {
      if (strcmp(model[i].name, model[k].name) != 0) continue;
      return cel_fail(CEL_E_RANGE, "reward model \"%s\" appears twice", model[i].name);
    }
    CELI_TRY(check_array(&model[i], "state", model[i].state, mdp->states));
    CELI_TRY(check_array(&model[i], "pair", model[i].pair, mdp->pairs));
    CELI_TRY(check_array(&model[i], "transition", model[i].transition, mdp->transitions));
  }
  if (!chosen) return CEL_OK;
  for (int64_t i = 0; i < K; i++) {
    if (chosen == &model[i]) return check_chosen(mdp);
  }
  return cel_fail(CEL_E_RANGE, "reward_chosen does not point to one of the MDP's reward models");
}

// ---- names

/// Writes `"time", "gain"`, cut to the buffer.
static void list_names(const CelMdp *mdp, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  for (int64_t i = 0; i < mdp->reward_models && used < size; i++) {
    used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", i > 0 ? ", " : "",
                             mdp->reward_model[i].name);
  }
}

static const CelMdpReward *find(const CelMdp *mdp, const char *name) {
  for (int64_t i = 0; i < mdp->reward_models; i++) {
    if (strcmp(mdp->reward_model[i].name, name) == 0) return &mdp->reward_model[i];
  }
  return NULL;
}

static CelStatus fail_unknown(const CelMdp *mdp, const char *name) {
  char list[512];
  CeliNearest nearest = {.wanted = name};
  if (mdp->reward_models == 0) {
    return cel_fail(CEL_E_NAME, "no reward model \"%s\": the problem has no named rewards", name);
  }
  for (int64_t i = 0; i < mdp->reward_models; i++) {
    celi_nearest_try(&nearest, mdp->reward_model[i].name);
  }
  if (nearest.best) {
    return cel_fail(CEL_E_NAME, "no reward model \"%s\"; did you mean \"%s\"?", name, nearest.best);
  }
  list_names(mdp, list, sizeof list);
  return cel_fail(CEL_E_NAME, "no reward model \"%s\"; the problem has %s", name, list);
}

CelStatus cel_mdp_reward_find(const CelMdp *mdp, const char *name, const CelMdpReward **out) {
  CELI_NEED(mdp);
  CELI_NEED(name);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelMdpReward *found = find(mdp, name);
  if (!found) return fail_unknown(mdp, name);
  *out = found;
  return CEL_OK;
}

// ---- selection

/// True if the transitions of some pair have different rewards.
static bool rewards_differ(const CelMdp *mdp, const CelMdpReward *model) {
  for (int64_t s = 0; model->transition && s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      const double base = base_of(model, s, p), first = base + model->transition[mdp->row[p]];
      for (int64_t t = mdp->row[p] + 1; t < mdp->row[p + 1]; t++) {
        const double r = base + model->transition[t];
        if (r < first || r > first) return true;
      }
    }
  }
  return false;
}

/// Computes reward (P) and reward_next (T), or reward alone if reward_next is NULL. A pair whose
/// transitions have equal rewards gets that reward without rounding.
static CelStatus compute(const CelMdp *mdp, const CelMdpReward *model, double *reward,
                         double *reward_next) {
  for (int64_t s = 0; s < mdp->states; s++) {
    for (int64_t p = mdp->pair[s]; p < mdp->pair[s + 1]; p++) {
      const double base = base_of(model, s, p);
      double mean = 0.0, first = base;
      bool differ = false, finite = isfinite(base);
      for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
        const double r = base + (model->transition ? model->transition[t] : 0.0);
        if (t == mdp->row[p]) first = r;
        differ |= r < first || r > first;
        finite &= isfinite(r) != 0;
        mean += mdp->probability[t] * r;
        if (reward_next) reward_next[t] = r;
      }
      reward[p] = differ ? mean : first;
      if (finite && isfinite(reward[p])) continue;
      return cel_fail(CEL_E_RANGE,
                      "reward model \"%s\": state %" PRId64 ", action %" PRId64
                      ": the sum of its rewards overflows; scale them down",
                      model->name, s, cel_mdp_action(mdp, s, p));
    }
  }
  return CEL_OK;
}

CelStatus celi_mdp_use_reward(CeliMdp *model, const CelMdpReward *chosen) {
  static const CelMdpReward zero = {.name = "none"};
  CelMdp *mdp = &model->mdp;
  const CelMdpReward *from = chosen ? chosen : &zero;
  double *reward = NULL, *reward_next = NULL;
  CELI_TRY(celi_mdp_own_more(model, 2));
  if (from->pair && !from->state && !from->transition) { // the model's own array
    mdp->reward = from->pair;
    mdp->reward_next = NULL;
    mdp->reward_chosen = chosen;
    return CEL_OK;
  }
  CELI_TRY(celi_alloc(&reward, (size_t)mdp->pairs, sizeof *reward, "rewards"));
  celi_mdp_own(model, reward);
  if (rewards_differ(mdp, from)) {
    CELI_TRY(celi_alloc(&reward_next, (size_t)mdp->transitions, sizeof *reward_next, "rewards"));
    celi_mdp_own(model, reward_next);
  }
  CELI_TRY(compute(mdp, from, reward, reward_next));
  mdp->reward = reward;
  mdp->reward_next = reward_next;
  mdp->reward_chosen = chosen;
  return CEL_OK;
}

CelStatus cel_mdp_with_reward(const CelMdp *mdp, const char *name, CelMdp **out) {
  CELI_NEED(mdp);
  CELI_NEED(name);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CeliMdp *model;
  const CelMdpReward *chosen = find(mdp, name);
  if (!chosen && strcmp(name, "none") != 0) return fail_unknown(mdp, name);
  CELI_TRY(celi_mdp_create(&model));
  model->mdp = *mdp;
  const CelStatus status = celi_mdp_use_reward(model, chosen);
  if (status != CEL_OK) {
    cel_mdp_destroy(&model->mdp);
    return status;
  }
  *out = &model->mdp;
  return CEL_OK;
}

CelStatus celi_mdp_choose_reward(CelMdp *mdp, const char *wanted) {
  CeliMdp *model = (CeliMdp *)mdp; // the CelMdp is the first member
  const CelMdpReward *chosen = find(mdp, wanted);
  char list[512];
  if (!chosen && strcmp(wanted, "none") == 0) return celi_mdp_use_reward(model, NULL);
  if (!wanted[0] && mdp->reward_models == 0) return CEL_OK;
  if (!wanted[0] && mdp->reward_models == 1) return celi_mdp_use_reward(model, mdp->reward_model);
  if (!wanted[0]) {
    list_names(mdp, list, sizeof list);
    return cel_fail(CEL_E_ARGUMENT,
                    "the problem has %" PRId64
                    " reward models: %s; set reward to the name or number "
                    "of one, or to \"none\"",
                    mdp->reward_models, list);
  }
  int64_t number;
  if (!chosen && celi_parse_i64(wanted, &number) == CELI_NUMBER_OK && number >= 1 &&
      number <= mdp->reward_models) {
    chosen = &mdp->reward_model[number - 1];
  }
  if (chosen) return celi_mdp_use_reward(model, chosen);
  return fail_unknown(mdp, wanted);
}
