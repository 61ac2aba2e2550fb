/// Certificates: which problem it is, at which temperature and discount; what all kinds share.
#include "certify/certify.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "run/training.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F(field) offsetof(CelCertifyOptions, field)
static const CelField fields[] = {
    {"alpha", CEL_FIELD_AUTO, F(alpha), "auto", 0, 1e9, "reward per nat", NULL, NULL,
     "temperature of the exact solution; auto: the agent's own, fixed or learned", ""},
    {"gamma", CEL_FIELD_AUTO, F(gamma), "auto", 0, 1, "", NULL, NULL,
     "discount of the exact solution; auto: the agent's own", ""},
    {"episodes", CEL_FIELD_INT, F(episodes), "400", 8, 100000, "episodes", NULL, NULL,
     "rollouts, where states are too many to go through: the regulator, the plane", ""},
    {"seed", CEL_FIELD_U64, F(seed), "10000", 0, 0, "", NULL, NULL, "of the rollouts", ""},
    {"cells", CEL_FIELD_INT, F(cells), "0", 0, 4096, "cells", NULL, NULL,
     "of the plane's grid, from the middle to the bound; 0: 32 a step", ""},
    {0}};
#undef F

const CelField *cel_certify_fields(void) {
  return fields;
}

CelCertifyOptions cel_certify_options_default(void) {
  CELI_FLOATS(CELI_IEEE);
  CelCertifyOptions options;
  memset(&options, 0, sizeof options);
  cel_fields_default(fields, &options);
  return options;
}

// ---- measures

void celi_measure(CelCertificate *certificate, const char *name, const char *label, double exact,
                  double learned, double off, double error) {
  CEL_ASSERT(certificate->n < CEL_CERTIFY_MEASURES);
  CelMeasure *m = &certificate->measure[certificate->n++];
  *m = (CelMeasure){.exact = exact, .learned = learned, .off = off, .error = error};
  snprintf(m->name, sizeof m->name, "%s", name);
  snprintf(m->label, sizeof m->label, "%s", label);
}

void celi_measure_absent(CelCertificate *certificate, const char *name, const char *label,
                         const char *why) {
  const double none = (double)NAN;
  celi_measure(certificate, name, label, none, none, none, none);
  celi_measure_note(certificate, "%s", why);
}

void celi_measure_note(CelCertificate *certificate, const char *format, ...) {
  CelMeasure *m = &certificate->measure[certificate->n - 1];
  va_list args;
  va_start(args, format);
  vsnprintf(m->note, sizeof m->note, format, args);
  va_end(args);
}

const CelMeasure *cel_certificate_find(const CelCertificate *certificate, const char *name) {
  CELI_NEED_OR(certificate, NULL);
  CELI_NEED_OR(name, NULL);
  for (int i = 0; i < certificate->n; i++)
    if (strcmp(certificate->measure[i].name, name) == 0) return &certificate->measure[i];
  return NULL;
}

// ---- which problem

static CelStatus check_regulator(const CelEnvSpec *spec) {
  for (int64_t i = 0; i < spec->action.part[0].size; i++)
    if (isfinite(spec->action.part[0].high[i]))
      return cel_fail(CEL_E_UNSUPPORTED,
                      "%s with action_limit %g: its exact solution supposes actions without "
                      "bounds (action_limit 0)",
                      spec->type->id, (double)spec->action.part[0].high[i]);
  return CEL_OK;
}

static CelStatus check_plane(const CelMultigoal *plane) {
  if (plane->reach != 1)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "reach %g: learners measure entropy on [-1, 1], so that only with reach 1 is "
                    "the exact solution theirs",
                    plane->reach);
  if (plane->bound < 0.5)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "bound %g: the plane is too narrow for a step of 1; its bound must be at least "
                    "0.5",
                    plane->bound);
  return CEL_OK;
}

/// The kind of problem, checked.
static CelStatus find_problem(const CelEnvSpec *spec, CelCertifyProblem *problem) {
  const CelMdp *mdp;
  CelMultigoal plane;
  CelLqr *lqr = NULL;
  CELI_TRY(celi_alloc(&lqr, 1, sizeof *lqr, "a regulator"));
  const bool finite = cel_mdp_of_env(spec, &mdp) == CEL_OK;
  const bool regulator = cel_lqr_of_env(spec, lqr) == CEL_OK;
  free(lqr);
  *problem = finite ? CEL_CERTIFY_MDP : regulator ? CEL_CERTIFY_LQR : CEL_CERTIFY_MULTIGOAL;
  if (spec->action_repeat > 1)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s with action_repeat %lld: what repeated actions come to has no exact "
                    "solution here",
                    spec->type->id, (long long)spec->action_repeat);
  if (finite && mdp->horizon > 0)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "'%s' ends after %lld step%s: its best policy depends on the time, which no "
                    "learner sees; certificates are of infinite horizons",
                    mdp->name, (long long)mdp->horizon, celi_s(mdp->horizon));
  if (finite) return CEL_OK;
  if (regulator) return check_regulator(spec);
  if (cel_multigoal_of_env(spec, &plane) == CEL_OK) return check_plane(&plane);
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s has no exact solution to hold an agent against: finite problems (mdp, "
                  "FrozenLake-v1, ...), LQR-v0 and MultiGoal-v0 have one",
                  spec->type->id);
}

CelStatus cel_certify_check(const CelEnvSpec *spec) {
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_FLOATS(CELI_IEEE);
  CelCertifyProblem problem;
  return find_problem(spec, &problem);
}

// ---- temperature and discount

/// Whether a switch of the agent's config is there and on.
static bool switched_on(const CelAgent *agent, const char *name) {
  char text[16];
  const CelAlgoInfo *algo = cel_agent_algo(agent);
  return cel_fields_find(algo->fields, name) &&
         cel_fields_get(algo->fields, cel_agent_config(agent), name, text, sizeof text) > 0 &&
         strcmp(text, "true") == 0;
}

static CelStatus choose_numbers(CelCertificate *out, CelAgent *agent,
                                const CelCertifyOptions *options) {
  const char *algo = cel_agent_algo(agent)->name;
  out->alpha = isnan(options->alpha) ? cel_agent_temperature(agent) : options->alpha;
  out->gamma = isnan(options->gamma) ? cel_agent_gamma(agent) : options->gamma;
  if (!(out->gamma >= 0 && out->gamma < 1))
    return cel_fail(
        CEL_E_RANGE,
        "%s at gamma %g: without an end to count on, the exact solution needs a discount "
        "below 1 (gamma)",
        algo, out->gamma);
  if (out->alpha > 0 && isnan(options->alpha) && switched_on(agent, "normalize_reward"))
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s normalises its rewards, so that its temperature %g is in no fixed unit of "
                    "them: give the temperature of the problem's own rewards (--alpha)",
                    algo, out->alpha);
  return CEL_OK;
}

// ---- create, destroy

static CelStatus fill(CelCertificate *out, CelAgent *agent, const CelEnvSpec *spec,
                      const CelCertifyOptions *options) {
  CELI_TRY(cel_fields_check(fields, options));
  CELI_TRY(find_problem(spec, &out->problem));
  CELI_TRY(celi_check_fit(agent, spec));
  CELI_TRY(choose_numbers(out, agent, options));
  snprintf(out->algo, sizeof out->algo, "%s", cel_agent_algo(agent)->name);
  snprintf(out->env, sizeof out->env, "%s", spec->type->id);
  out->steps = cel_agent_steps(agent);
  switch (out->problem) {
  case CEL_CERTIFY_MDP: return celi_certify_mdp(out, agent, spec, options);
  case CEL_CERTIFY_LQR: return celi_certify_lqr(out, agent, spec, options);
  case CEL_CERTIFY_MULTIGOAL: break;
  }
  return celi_certify_plane(out, agent, spec, options);
}

CelStatus cel_certify(CelAgent *agent, const CelEnvSpec *spec, const CelCertifyOptions *options,
                      CelCertificate **out) {
  CELI_NEED(agent);
  CELI_NEED(spec);
  CELI_NEED(spec->type);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  const CelCertifyOptions how = options ? *options : cel_certify_options_default();
  CelCertificate *certificate = calloc(1, sizeof *certificate);
  *out = NULL;
  if (!certificate) return cel_fail(CEL_E_MEMORY, "no memory for a certificate");
  const CelStatus status = fill(certificate, agent, spec, &how);
  if (status == CEL_OK)
    *out = certificate;
  else
    cel_certificate_destroy(certificate);
  return status;
}

static void destroy_lqr(CelCertifiedLqr *lqr) {
  if (!lqr) return;
  free(lqr->x);
  free(lqr->mean);
  free(lqr->sd);
  free(lqr);
}

static void destroy_plane(CelCertifiedPlane *plane) {
  if (!plane) return;
  cel_multigoal_solution_destroy(plane->exact);
  for (int k = 0; k < 2; k++) {
    free(plane->path[k]);
    free(plane->length[k]);
  }
  free(plane);
}

void cel_certificate_destroy(CelCertificate *certificate) {
  if (!certificate) return;
  celi_certified_mdp_destroy(certificate->mdp);
  destroy_lqr(certificate->lqr);
  destroy_plane(certificate->plane);
  free(certificate);
}
