/// A Gaussian learner against the exact policy of the linear-quadratic regulator, at a fixed
/// temperature.
///
/// The soft-optimal policy is N(-K x, Sigma). An unsquashed Gaussian can represent it, so learning
/// should converge to it. The agent is trained with the preset and then certified.
/// Source: [maximum-entropy, 8.25].
/// Tolerances: gain 5% (Frobenius), covariance 10%, entropy 0.05 nat per dimension.
#ifndef LQR_LEARNED_H
#define LQR_LEARNED_H
#include "celsius/certify.h"
#include "run/trained.h"

#include <math.h>

static void at_most(const CelCertificate *certificate, const char *name, double most) {
  const double off = cel_certificate_find(certificate, name)->off;
  if (!(off <= most)) fail_msg("%s is off by %.3g, expected at most %.2g", name, off, most);
}

static void train_and_compare(const char *algo, const char *problem, uint64_t seed) {
  CelEnvSpec *spec;
  CelCertificate *certificate;
  CelSetup *setup = preset(algo, "LQR-v0");
  ok(cel_setup_set(setup, "env.problem", problem));
  ok(cel_env_spec_create(&spec, "LQR-v0", (char *)setup->env_args + sizeof(CelEnvOptions),
                         setup->env_args));
  CelAgent *agent = trained(setup, spec, seed);
  ok(cel_certify(agent, spec, NULL, &certificate));
  print_message("%s on %s, seed %d: gain off by %.1f%%, covariance by %.1f%%, entropy by %.3f nat "
                "a dimension, J by %.3g\n",
                algo, problem, (int)seed, 100 * cel_certificate_find(certificate, "gain")->off,
                100 * cel_certificate_find(certificate, "covariance")->off,
                cel_certificate_find(certificate, "entropy")->off,
                cel_certificate_find(certificate, "soft_return")->off);
  at_most(certificate, "gain", 0.05);
  at_most(certificate, "covariance", 0.10);
  at_most(certificate, "entropy", 0.05);
  cel_certificate_destroy(certificate);
  cel_agent_destroy(agent);
  cel_env_spec_destroy(spec);
  cel_setup_destroy(setup);
}

#endif
