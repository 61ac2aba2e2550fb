"""A check must be able to fail: each mutation below changes one place of the library's source, and the rows named with
it must turn red. The mutated file is compiled as the build compiles it, into a library that is put in front of the
build's own; nothing of it stays, and the release has no switch for it."""
import json
import os
import re
import shlex
import subprocess
import unittest

import kit

BUILD = os.environ["CELSIUS_BUILD_DIR"]

ALL_CASES = True
# name, file, what stands there (once), what stands there instead, a part of each claim that must turn red, and whether it
# takes all cases of a row to see it in the mean of samples
MUTATIONS = [
    ("gamma is dropped from the backup", "src/mdp/values.c",
     "return mdp->reward[p] + gamma * next;", "return mdp->reward[p] + next + 0.0 * gamma;",
     ["soft Q of a policy, against elimination in state-action pairs", "T(V + c) = TV + gamma c",
      "e_{k+1} <= gamma e_k of the soft backup", "soft Q_t is the sum over trajectories"]),
    ("alpha H is dropped from V of a policy", "src/mdp/evaluate/evaluate.c",
     "value += pi[p] * (alpha > 0.0 ? Q - alpha * celi_log(pi[p]) : Q);", "value += pi[p] * Q;",
     ["soft V of a policy, against dense elimination", "V by sweeps, against propagation forward",
      "V of any policy = alpha log Z - alpha KL", "soft V_t over a finite horizon is the sum"]),
    ("Boltzmann averaging for alpha log sum exp", "src/mdp/values.c",
     "return M + alpha * celi_log(sum);",
     "double mean = 0.0;\n  for (int64_t a = 0; a < n; a++) mean += q[a] * celi_exp2((q[a] - M) * sharpness) / sum;\n"
     "  return mean;",
     ["alpha log sum exp(Q/alpha) is the maximum over pi", "alpha log sum exp has ratio .834",
      "soft Q-iteration V <- TV ends in V*", "over choices exp((Q - V)/alpha) sums to 1"]),
    ("the policy is the softmax of Q, not of Q/alpha", "src/mdp/values.c",
     "celi_exp2((q[a] - M) * sharpness) : (double)",
     "celi_exp2((q[a] - M) * (1.4426950408889634 + 0.0 * sharpness)) : (double)",
     ["exponentiated gradient, which knows no Z, ends in the softmax",
      "F(softmax) - F(pi') = alpha KL(pi', softmax)", "the minimiser of J_pi is the softmax of Q/alpha",
      "Q_new >= Q_old, full class"]),
    ("ties go to the first", "src/mdp/values.c",
     "(double)(q[a] >= M - tie);", "(double)(q[a] >= M - tie && sum == 0.0);",
     ["for a fixed Q the policy goes to the uniform one over the maxima"]),
    ("mass that ended goes on", "src/mdp/evaluate/occupancy.c",
     "if (!mdp->ends || !mdp->ends[t]) next[", "next[",
     ["the return over all trajectories is the sum over propagated states",
      "J' - J = sum_t gamma^t E_{p'_t} E_{pi'}[A]"]),
    ("d without 1 - gamma", "src/mdp/evaluate/occupancy.c",
     "d[s] = (1.0 - gamma) * mdp->start[s];", "d[s] = mdp->start[s];",
     ["J = E[V(x0)] is the sum over discounted visits", "for ever: E_d[grad log pi Q]/(1-gamma)"]),
    ("the gradient forgets 1/(1-gamma)", "src/mdp/improve/gradient.c",
     "parts->d[s] / (1.0 - gamma), n);", "parts->d[s], n);",
     ["for ever: E_d[grad log pi Q]/(1-gamma)", "the same with alpha: the gradient of the soft J",
      "its gradient at theta is the gradient of J"]),
    ("gamma^t is dropped at a finite horizon", "src/mdp/improve/gradient.c",
     "discounted ? pow(gamma, (double)t) : 1.0;", "discounted ? 1.0 : 1.0;",
     ["the gradient of J over all trajectories", "the gradient of J at a finite horizon",
      "gamma^t times the discounted reward to go is the gradient of J"]),
    ("gamma^t where practice has none", "src/mdp/improve/gradient.c",
     "discounted ? pow(gamma, (double)t) : 1.0;", "discounted ? pow(gamma, (double)t) : pow(gamma, (double)t);",
     ["without gamma^t: as the sum over trajectories says", "printed: without gamma^t, distance to grad J"]),
    ("the advantage without its baseline V", "src/mdp/improve/gradient.c",
     "(celi_soft_gain(pi[a], Q[a], alpha) - V);", "(celi_soft_gain(pi[a], Q[a], alpha) - 0.0 * V);",
     ["the gradient of the loss is -pi A_soft", "the components of a state sum to 0",
      "the gradient that discrete soft actor-critic takes"]),
    ("the advantage without alpha log pi", "src/mdp/improve/improve.c",
     "return alpha > 0.0 ? Q - alpha * log(pi) : Q;", "return Q;",
     ["the same with alpha: the gradient of the soft J", "the gradient of the loss is -pi A_soft",
      "pinv(F) (pi A_soft) = A_soft - mean A_soft"]),
    ("the natural gradient keeps its mean", "src/mdp/improve/gradient.c",
     "out[a] = scale * (out[a] - mean);", "out[a] = scale * (out[a] - 0.0 * mean);",
     ["of J: pinv of the whole Fisher matrix times the gradient"]),
    ("argmax of KL", "src/mdp/improve/project.c",
     "if (kl < least) least = kl, best = k;", "if (-kl < least) least = -kl, best = k;",
     ["over finite classes argmin KL is argmax", "Q_new >= Q_old, a rectangular class"]),
    ("the projection without alpha", "src/mdp/improve/project.c",
     "(log(pi[a]) - (Q[a] - V) / alpha);", "(log(pi[a]) - (Q[a] - V) + 0.0 * alpha);",
     ["over finite classes argmin KL is argmax"]),
    ("half the penalty", "src/mdp/improve/conservative.c",
     "step.drift_penalty = 2.0 *", "step.drift_penalty = 1.0 *",
     ["the L and the penalty that it reports are those of its two policies"]),
    ("the covariance twice too large", "src/mdp/lqr.c",
     "out->Sigma[i] *= 0.5 * alpha;", "out->Sigma[i] *= alpha;",
     ["covariance (alpha/2)(R + gamma B'PB)^-1", "soft value iteration by quadrature, one dimension"]),
    ("the solver's gamma a little small", "src/mdp/operator/layout.c",
     ".gamma = gamma,", ".gamma = 0.999 * gamma,",
     ["soft value iteration and soft policy iteration end in one Q", "so does Newton-Krylov",
      "V by sweeps, against propagation forward", "log pi* = (Q* - V*)/alpha"]),
    ("the start is forgotten", "src/mdp/values.c",
     "J += mdp->start[s] * V[s];", "J += V[s] / (double)mdp->states;",
     ["J = E[V(x0)] is the sum over discounted visits", "J = E[Q(x0,u0) - alpha log pi(u0 given x0)]"]),
    ("the Gaussian's normalisation", "src/nn/dist.c",
     "logp += -0.5f * z * z - (log_std + half_log_2pi);", "logp += -0.5f * z * z - half_log_2pi;",
     ["the library's Gaussian density integrates to 1", "its product form is the full form"]),
    ("alpha is dropped from soft actor-critic's target", "src/algo/sac.c",
     "s->q_next.Y[s->target.L - 1], logp,\n                          s->temperature.alpha,",
     "s->q_next.Y[s->target.L - 1], logp, &(float){0.0f},",
     ["the twin critics' of soft actor-critic: min Q' - alpha log pi for V"]),
    ("the policy's entropy weighs 1, not alpha", "src/algo/sac.c",
     "celi_ops()->fill(d_logp + begin, *s->temperature.alpha / (float)s->B", "celi_ops()->fill(d_logp + begin, 1.0f / (float)s->B",
     ["the policy's gradient in soft actor-critic, through tanh",
      "its mean over samples is that of alpha KL by quadrature"]),
    ("V of what ended", "src/algo/sacv.c",
     "s->reward[b] + s->discount[b] * s->v_next.Y", "s->reward[b] + 0.9f * s->v_next.Y",
     ["the critics' there: r + gamma V'(s'), no V where it ended"]),
    ("V without the entropy", "src/algo/sacv.c",
     "s->zero, s->one, s->q_pi.Y[last], s->dist.logp,", "s->zero, s->one, s->q_pi.Y[last], s->zero,",
     ["V's gradient in soft actor-critic with a value network"]),
    ("the discrete policy's gradient without alpha log pi", "src/algo/choice.c",
     "(q[i] - alpha * log_pi[i] - loss[b]);", "(q[i] - loss[b]);",
     ["discrete soft actor-critic's gradient through its network", "the gradient that discrete soft actor-critic takes"]),
    ("the discrete target is the hard value", "src/algo/dsac.c",
     "celi_choice_value(y, q, s->log_next, s->p_next, alpha,", "celi_choice_value(y, q, s->log_next, s->p_next, 0 * alpha,",
     ["its critics' gradient: r + gamma E_pi[min Q' - alpha log pi]"]),
    ("soft Q-learning's target at another temperature", "src/algo/sql.c",
     "celi_ops()->logsumexp(s->y, s->next.Y[last], s->A, (float)s->config->ent_coef,",
     "celi_ops()->logsumexp(s->y, s->next.Y[last], s->A, 1.0f,",
     ["soft Q-learning's gradient, choices: r + gamma alpha log sum exp(Q'/alpha)"]),
    ("importance sampling forgets the proposal", "src/algo/sqlc_value.c",
     "log_w[i] = Q[i] - scale * log_q[i];", "log_w[i] = Q[i] - 0 * scale * log_q[i];",
     ["soft value by importance sampling, uniform", "the same from another proposal",
      "a proposal proportional to exp(Q/alpha) has no variance", "exp(V/alpha) of few samples has no bias",
      "soft Q-learning's gradient, numbers", "its soft values, less their bias, are those of quadrature"]),
    ("tanh's Jacobian is dropped from the particles' score", "src/algo/svgd.c",
     "score_a[i] * (1 - a[i] * a[i]) - 2 * a[i];", "score_a[i] * (1 - a[i] * a[i]);",
     ["particles for a flat Q on [-1, 1], in u with tanh's Jacobian", "the same in two dimensions"]),
    ("particles do not repel", "src/algo/svgd.c",
     "k * (s[c] + 2 / h * (yj[c] - xi[c]));", "k * s[c];",
     ["particles for a flat Q on [-1, 1], in u with tanh's Jacobian", "300 particles for a Gaussian",
      "and the Kolmogorov-Smirnov distance"]),
    ("tanh's Jacobian is dropped from the sampler's score", "src/algo/sqlc.c",
     "*score * (1 - a * a) / alpha - 2 * a;", "*score * (1 - a * a) / alpha;",
     ["the sampler's gradient: -phi in u, tanh's Jacobian in the score"]),
    ("REINFORCE drops gamma^t", "src/algo/reinforce.c",
     "s->config->discount_weight ? s->weight[b] : 1.0f;", "s->config->discount_weight ? 1.0f : 1.0f;",
     ["REINFORCE's gradient with gamma^t has the mean grad J"]),
    ("rewards to go without gamma", "src/rl/rollout.c",
     "const float g = (float)gamma, trace = (float)(gamma * lambda);", "const float g = 1, trace = (float)lambda;",
     ["REINFORCE's gradient with gamma^t has the mean grad J", "REINFORCE's without gamma^t has the mean of that form",
      "actor-critic's with the exact V has the mean grad J", "actor-critic's critic: V towards r + gamma V(x')",
      "PPO's gradient at theta is that of the surrogate"], ALL_CASES),
    ("TRPO's damping counts for nothing", "src/algo/trpo.c",
     "celi_ops()->axpby(s->g, (float)s->config->cg_damping,", "celi_ops()->axpby(s->g, 0 * (float)s->config->cg_damping,",
     ["TRPO's step lies along (F + damping)^-1 of it"]),
    ("PPO forgets the ratio's sign", "src/algo/ppo.c",
     "d_logp[b] = moves ? -weight * (rho * A) : 0;", "d_logp[b] = moves ? weight * (rho * A) : 0;",
     ["PPO's gradient at theta is that of the surrogate"]),
]


def flags(source):
    """The build's command for a source file, up to and without its output."""
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        for entry in json.load(file):
            if os.path.realpath(entry["file"]) == os.path.realpath(os.path.join(kit.ROOT, source)):
                words = shlex.split(entry["command"])
                words = words[:words.index("-o")] + words[words.index("-o") + 2:]
                return [word for word in words if word != entry["file"] and word != "-c"]
    raise AssertionError(f"{source} is not among the build's commands")


class Mutations(kit.Case):
    def needed(self):
        """Libraries that the shared one needs, and its name."""
        said = subprocess.run(["readelf", "-d", os.path.join(BUILD, "libcelsius.so")], check=True,
                              capture_output=True, text=True).stdout
        return (re.findall(r"NEEDED.*\[(.*)\]", said), re.search(r"SONAME.*\[(.*)\]", said).group(1))

    def build(self, source, old, new):
        """A library whose `source` has `new` for `old`."""
        text = kit.read(os.path.join(kit.ROOT, source))
        self.assertEqual(text.count(old), 1, f"{source}: '{old}' must stand there once; has it changed?")
        mutant, object_file, library = map(self.path, ("mutant.c", "mutant.o", "libmutant.so"))
        with open(mutant, "w") as file:
            file.write(text.replace(old, new))
        command = flags(source)
        subprocess.run([*command, "-w", "-Wno-error", "-I", os.path.dirname(os.path.join(kit.ROOT, source)), "-c",
                        mutant, "-o", object_file], check=True, cwd=BUILD)
        libraries, name = self.needed()
        subprocess.run([command[0], "-shared", "-o", library, f"-Wl,-soname,{name}", "-Wl,-Bsymbolic-functions",
                        "-Wl,--allow-multiple-definition", object_file, "-Wl,--whole-archive",
                        os.path.join(BUILD, "libcelsius.a"), "-Wl,--no-whole-archive",
                        *(f"-l:{needed}" for needed in libraries)], check=True, cwd=BUILD)
        return library

    def verify(self, library, all_cases=False):
        """Exit code and rows of the check, by default the quick one, under a library."""
        done = self.command("verify", *([] if all_cases else ["--quick"]), "--json", "--threads", 2, timeout=240,
                            env={"LD_PRELOAD": library} if library else None)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, json.loads(done.stdout)

    def test_unchanged(self):
        """The way that mutants are built changes nothing by itself."""
        library = self.build("src/mdp/values.c", "double J = 0.0;", "double J = 0.0; (void)J;")
        for name in (None, library):
            code, rows = self.verify(name)
            self.assertEqual(code, 0)
            self.assertTrue(all(row["pass"] for row in rows))

    def test_mutations(self):
        self.assertGreaterEqual(len(MUTATIONS), 10)
        for name, source, old, new, claims, *all_cases in MUTATIONS:
            with self.subTest(mutation=name):
                code, rows = self.verify(self.build(source, old, new), bool(all_cases))
                red = [row["claim"] for row in rows if not row["pass"]]
                self.assertEqual(code, 1)
                for claim in claims:
                    self.assertTrue(any(claim in row for row in red), f"still green: {claim}\nred: {red}")
                print(f"{name}: {len(red)} rows red")


kit.main()
