/// Certificates of a trained policy: options, temperature and discount, the choice by kind of
/// problem.
#include "certify/certify.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "run/training.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define F(field) offsetof(CelCertifyOptions, field)
// clang-format off
static const CelField fields[] = {
    {.name = "alpha", .type = CEL_FIELD_AUTO, .offset = F(alpha), .def = "auto", .min = 0,
     .max = 1e9, .unit = "reward per nat",
     .doc = "temperature of the exact solution; auto: the agent's own, fixed or learned"},
    {.name = "gamma", .type = CEL_FIELD_AUTO, .offset = F(gamma), .def = "auto", .min = 0, .max = 1,
     .doc = "discount of the exact solution; auto: the agent's own"},
    {.name = "episodes", .type = CEL_FIELD_INT, .offset = F(episodes), .def = "400", .min = 8,
     .max = 100000, .unit = "episodes",
     .doc = "number of rollouts on LQR-v0 and MultiGoal-v0; more give smaller standard errors"},
    {.name = "seed", .type = CEL_FIELD_U64, .offset = F(seed), .def = "10000",
     .doc = "seed of the rollouts"},
    {.name = "cells", .type = CEL_FIELD_INT, .offset = F(cells), .def = "0", .min = 0, .max = 4096,
     .unit = "cells",
     .doc = "MultiGoal-v0: cells of the solver's grid from the origin to the bound; 0: 32 per "
            "step"},
    {0},
};
// clang-format on
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

// ---- temperature and discount

/// Whether the agent's config has a switch of this name and it is on.
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
    return cel_fail(CEL_E_RANGE,
                    "%s: gamma is %g; the exact solution of an infinite horizon needs a discount "
                    "of at least 0 and below 1",
                    algo, out->gamma);
  if (out->alpha > 0 && isnan(options->alpha) && switched_on(agent, "normalize_reward"))
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "%s: normalize_reward changes the unit of its temperature %g; give a temperature in "
        "the environment's own reward units with --alpha",
        algo, out->alpha);
  return CEL_OK;
}

// ---- create, destroy

static CelStatus fill(CelCertificate *out, CelAgent *agent, const CelEnvSpec *spec,
                      const CelCertifyOptions *options) {
  CELI_TRY(cel_fields_check(fields, options));
  CELI_TRY(celi_certify_problem(spec, &out->problem));
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
  if (!certificate) return cel_fail(CEL_E_MEMORY, "not enough memory for a certificate");
  const CelStatus status = fill(certificate, agent, spec, &how);
  if (status == CEL_OK)
    *out = certificate;
  else
    cel_certificate_destroy(certificate);
  return status;
}

void cel_certificate_destroy(CelCertificate *certificate) {
  if (!certificate) return;
  celi_certified_mdp_destroy(certificate->mdp);
  celi_certified_lqr_destroy(certificate->lqr);
  celi_certified_plane_destroy(certificate->plane);
  free(certificate);
}
