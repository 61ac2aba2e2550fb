/// The table of every equation of the notes: the form that is implemented and why, the library's
/// functions that compute it, and the checks of it. `script/equations` writes the table to
/// docs/equations.md, between two marks.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "verify/verify.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Equation {
  const char *label; ///< "8.10"; NULL ends a note's list
  const char *form;
} Equation;

static const Equation maximum_entropy[] = {
    {"8.1", "J = E sum_t gamma^t r_t"},
    {"8.2", "J = E sum_t gamma^t (r_t - alpha log pi_t)"},
    {"8.3", "8.2 as a sum over the distributions p_t(x,u)"},
    {"8.4", "8.3 with alpha H in place of -alpha log pi"},
    {"8.5", "H = -E_pi[log pi]; for continuous actions the differential entropy"},
    {"8.6", "J = sum_t gamma^t E[r + alpha H]"},
    {"8.7", "V_t = E sum_{k >= t} gamma^{k-t} r_k; over a finite horizon V has a time index"},
    {"8.8", "soft V_t; it includes the entropy of step t"},
    {"8.9", "J = E[V(x0)]"},
    {"8.10", "V = E_pi[Q - alpha log pi]. The printed form lacks the weight pi in the integral of "
             "Q, and has Q(u,x) for Q(x,u)"},
    {"8.11", "soft Q, without the entropy of its own step. It is zero past the horizon, where "
             "there is no u_{T+1}"},
    {"8.12", "J = E[Q(x0,u0) - alpha log pi(u0 given x0)]. The printed E[Q] lacks the entropy of "
             "the first action"},
    {"8.13", "like 8.8 and 8.11, zero past the horizon"},
    {"8.14", "V = E_pi[Q - alpha log pi]"},
    {"8.15", "Q = r_t + the soft return from t + 1 on, zero past the horizon"},
    {"8.16", "the soft return from t + 1 on depends on the next state alone"},
    {"8.17", "its mean is gamma E[V(x')]"},
    {"8.18", "Q = r + gamma E[V(x')]; V is 0 where the episode ends"},
    {"8.19", "V = E_pi[Q - alpha log pi]"},
    {"8.20", "V = E_pi[r + gamma E[V(x')] - alpha log pi]"},
    {"8.21", "Q = r + gamma E[Q(x',u') - alpha log pi(u' given x')]"},
    {"8.22", "maximizes F(pi) = E_pi[Q - alpha log pi] for a fixed Q. The derivative of J itself "
             "has the discounted state distribution as a factor"},
    {"8.23", "Q - alpha log pi - alpha + lambda = 0 for each action; lambda = alpha - alpha log Z "
             "is the multiplier of the normalization"},
    {"8.24", "pi_new = exp((Q - alpha log Z)/alpha) with Q of the old policy. The printed "
             "exp(Q/alpha - 1) sums to Z/e"},
    {"8.25", "pi = softmax(Q/alpha); a Gaussian for linear-quadratic problems"},
    {"8.26", "the limit alpha -> 0 is greedy. For a fixed Q it is uniform over ties; for pi*_alpha "
             "it may not be"},
    {"8.27", "V = alpha log Z, only where pi is the softmax of its own Q"},
    {"8.28", "V = alpha log Z - alpha KL(pi, softmax(Q/alpha)) for any pi"},
    {"8.29", "Z = sum exp(Q/alpha); the maximum is subtracted before the sum"},
    {"8.30", "argmax F = argmin KL over any class of policies"},
    {0}};

static const Equation actor_critic[] = {
    {"4.1", "grad J = E sum_t gamma^t grad log pi_t times the discounted reward to go"},
    {"4.2", "splits a trajectory into past and future"},
    {"4.3", "the sum of 4.1, split in the same way"},
    {"4.4", "E[reward to go given x_t, u_t] = Q_t; over a finite horizon Q has a time index"},
    {"4.5", "grad J = sum_t gamma^t E_{p_t}[grad log pi Q_t]"},
    {"4.6", "finite horizon: as 4.5. Infinite horizon: 1/(1-gamma) E_d[grad log pi Q] with d = "
            "(1-gamma) sum_t gamma^t p_t, and no further sum over t"},
    {"4.7", "the form without gamma^t, common in practice. It is the gradient of J only if gamma = "
            "1. The library has both forms"},
    {"4.8", "E[grad log pi b(x)], the term of a baseline; printed as grad J"},
    {"4.9", "the term is 0 if b does not depend on u"},
    {"4.10", "so a baseline does not change the mean"},
    {"4.11", "grad J with Q_t - b_t(x)"},
    {"4.12", "V = E_pi[Q]; over a finite horizon with a time index"},
    {"4.13", "grad J with A_t = Q_t - V_t"},
    {"4.14", "estimate from M samples, a mean. With gamma^t it estimates the gradient of J"},
    {"4.15", "estimate from one trajectory"},
    {"4.16", "Q = r + gamma E[V(x')], with a time index or over an infinite horizon"},
    {"4.17", "A = E[delta given x,u] with the exact V"},
    {"4.18", "V = E_pi[r + gamma E[V(x')]]"},
    {"4.19", "the target r + gamma V(x')"},
    {"4.20", "the squared distance of V from the target, which is held fixed. The target has no V "
             "after the end of an episode, but has V at a time limit. With the gradient through "
             "both V's the loss is another one: Bellman error plus variance of delta"},
    {"4.21", "delta estimates A; it is biased if V is wrong"},
    {"4.22", "the actor's loss, with A held fixed"},
    {"4.23", "a gradient step with A held fixed; the step size is a learning rate"},
    {"4.24", "the Gaussian as a product over dimensions, which needs a diagonal covariance; it may "
             "depend on the state"},
    {"4.25", "each factor is a Gaussian"},
    {"4.26", "the logarithm of the product"},
    {0}};

static const Equation discrete[] = {
    {"(6)", "the gradient of -E_pi[Q - alpha log pi] in the logits is -pi A_soft, so descent moves "
            "along +pi A_soft. V is E_pi[Q - alpha log pi] of the given critic. The note leaves "
            "out the derivative of log pi, which sums to 0"},
    {"natural gradient",
     "pinv(F) (pi A_soft) = A_soft - mean of A_soft; it does not vanish as pi goes to 0"},
    {"vanishing", "pi A_soft goes to 0 at every corner, even that of the worst action"},
    {0}};

static const Equation guarantees[] = {
    {"REINFORCE", "the mean over trajectories. gamma^t times the discounted reward to go gives the "
                  "gradient of J; practice leaves out gamma^t"},
    {"PDL", "performance difference: J' - J = sum_t gamma^t E_{p'_t} E_{pi'}[A]"},
    {"IS", "importance sampling: E_{pi'}[f] = E_pi[pi'/pi f], where pi' takes only actions that pi "
           "can take"},
    {"surrogate", "argmax over theta' of L(theta') = sum_t gamma^t E_{p_t} E_pi[pi'/pi A]"},
    {"coupling", "two distributions agree with probability 1 - epsilon at most, where epsilon is "
                 "their total variation"},
    {"drift", "by coupling, the L1 distance of p'_t and p_t is at most 2(1-(1-eps)^t). p_mistake "
              "is a distribution if pi is deterministic, but not in general"},
    {"objective bound",
     "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps))), C = max over s of the absolute "
     "value of E_pi'[A]. Linearized penalty: 2 eps gamma C/(1-gamma)^2"},
    {"(1)", "J with gamma^t, as 8.2"},
    {"(2)", "Q <- r + gamma E[V(s')]"},
    {"(3)", "V = E_pi[Q - alpha log pi]"},
    {"(4)", "the projection on exp(Q/alpha). The printed projection on exp(Q) need not improve the "
            "policy if V uses alpha"},
    {"(5)", "J_V: the squared distance of V from E_pi[Q - alpha log pi]"},
    {"(7)", "J_Q: half the squared distance of Q from the target, which is held fixed"},
    {"(8)", "the target r + gamma E[V(s')], with s' from the environment"},
    {"(10)", "J_pi: KL of pi to softmax(Q/alpha)"},
    {"(15)", "the augmented reward r + gamma alpha E[H(pi(. given s'))]. The printed reward "
             "belongs to the temperature alpha/gamma"},
    {"(16)", "the loss of the projection, in each state"},
    {"(17)", "the loss does not rise"},
    {"(18)", "so E_new[Q_old - alpha log pi_new] >= V_old"},
    {"(19)", "so Q_new >= Q_old"},
    {"SAC", "Algorithm 1: V uses the networks from before the update, the critics use the old "
            "targets, the policy uses the new critics; then psi' <- tau psi + (1 - tau) psi'"},
    {"temperature", "J_alpha = -log alpha (E log pi + target entropy); the step is in log alpha"},
    {"Lemma 1", "soft evaluation contracts by gamma and converges to soft Q"},
    {"Lemma 2", "Q_new >= Q_old on a rectangular class, which contains every mix of its members' "
                "actions in different states"},
    {"Theorem 1",
     "Q* >= Q of any policy, on a rectangular class, without strict inequality. On the full class "
     "with alpha > 0 the policies converge too, in the end quadratically"},
    {0}};

static const Equation soft_q[] = {
    {"1.1", "the unregularized objective, with one factor gamma a time step"},
    {"1.2", "the soft objective, with one factor gamma a time step, and alpha H written out"},
    {"2.1", "TV = alpha log sum exp(Q_V/alpha), Q_V = r + gamma E[V(s')]. Q lacks the entropy of "
            "its own step. Rewards are r(s,a) or r(s,a,s'). The note's other Q-based equation "
            "gives V of the state for pi*, whatever the action, so it is not used"},
    {"3.1", "V <- TV"},
    {"3.2", "V_Q = alpha log sum exp(Q/alpha), because the average sum pi_Q Q is not a "
            "contraction. The loss is on Q, with the target r + gamma E[V_Q(s')] of a target "
            "network; the mean over s' is outside the logarithm"},
    {"4", "the sampler's target density exp((Q - V)/alpha)"},
    {0}};

static const struct {
  const CeliNote *note;
  const Equation *equations;
} tables[] = {{&celi_note_maximum_entropy, maximum_entropy},
              {&celi_note_actor_critic, actor_critic},
              {&celi_note_discrete_soft_policy_gradient, discrete},
              {&celi_note_policy_guarantees, guarantees},
              {&celi_note_soft_q_learning, soft_q}};

// ---- which checks cover an equation

/// A label, split around its last number. "8.10" is "8.", 10, ""; "(15)" is "(", 15, ")".
typedef struct Numbered {
  size_t before;
  long number;
  const char *after;
} Numbered;

static bool numbered(const char *text, size_t n, Numbered *out) {
  size_t end = n;
  while (end > 0 && !isdigit((unsigned char)text[end - 1])) end--;
  size_t begin = end;
  while (begin > 0 && isdigit((unsigned char)text[begin - 1])) begin--;
  if (begin == end) return false;
  *out = (Numbered){begin, strtol(text + begin, NULL, 10), text + end};
  return true;
}

/// Whether part of a check's equations covers the label. A part is one label or a range such as
/// "8.10-8.15" or "(7)-(8)".
static bool part_covers(const char *part, size_t n, const char *label) {
  const char *dash = memchr(part, '-', n);
  Numbered low, high, own;
  if (!dash) return strlen(label) == n && memcmp(part, label, n) == 0;
  if (!numbered(part, (size_t)(dash - part), &low) ||
      !numbered(dash + 1, n - (size_t)(dash - part) - 1, &high) ||
      !numbered(label, strlen(label), &own))
    return false;
  return own.before == low.before && memcmp(part, label, low.before) == 0 &&
         own.number >= low.number && own.number <= high.number;
}

/// Whether a check's equations, such as "8.11, 8.13-8.15", cover the label.
static bool covers(const char *equations, const char *label) {
  for (const char *part = equations; part;) {
    const char *comma = strstr(part, ", ");
    if (part_covers(part, comma ? (size_t)(comma - part) : strlen(part), label)) return true;
    part = comma ? comma + 2 : NULL;
  }
  return false;
}

// ---- the table as text

/// The header that declares a function named by a check.
static const char *header_of(const char *function) {
  if (strncmp(function, "cel_lqr", 7) == 0) return "include/celsius/lqr.h";
  if (strncmp(function, "cel_agent", 9) == 0) return "include/celsius/agent.h";
  if (strncmp(function, "cel_svgd", 8) == 0) return "include/celsius/svgd.h";
  if (strcmp(function, "cel_soft_value_estimate") == 0) return "include/celsius/sqlc.h";
  if (strncmp(function, "celi_dist", 9) == 0) return "src/nn/dist.h";
  if (strcmp(function, "soft_target") == 0) return "src/ops/ops.h";
  if (strcmp(function, "cel_policy_guarantee") == 0) return "include/celsius/guarantee.h";
  if (strstr(function, "gradient") || strstr(function, "project") ||
      strstr(function, "conservative"))
    return "include/celsius/improve.h";
  return "include/celsius/solve.h";
}

enum { FUNCTIONS_MAX = 16 };

/// Names in the order in which they were added, each once.
typedef struct Names {
  const char *name[FUNCTIONS_MAX];
  int n;
} Names;

static void add_name(Names *names, const char *name) {
  for (int i = 0; i < names->n; i++)
    if (strcmp(names->name[i], name) == 0) return;
  CEL_ASSERT(names->n < FUNCTIONS_MAX);
  names->name[names->n++] = name;
}

static void add_names(CeliText *text, const Names *names) {
  for (int i = 0; i < names->n; i++)
    celi_text_format(text, "%s`%s`", i ? ", " : "", names->name[i]);
}

/// Adds the library's functions in the checks of an equation, and the headers that declare them.
static void add_functions(CeliText *text, const CeliNote *note, const char *label) {
  Names functions = {0}, headers = {0};
  const CeliClaim *c;
  for (int i = 0; (c = celi_note_claim(note, i, NULL)); i++) {
    if (c->function[0] == 0 || !covers(c->equation, label)) continue;
    add_name(&functions, c->function);
    add_name(&headers, header_of(c->function));
  }
  if (functions.n == 0) return;
  add_names(text, &functions);
  celi_text_format(text, " in ");
  add_names(text, &headers);
}

/// Adds the checks of an equation, after the name of the file that contains them.
static void add_checks(CeliText *text, const CeliNote *note, const char *label) {
  const CeliSection *section = NULL, *last = NULL;
  const CeliClaim *c;
  for (int i = 0; (c = celi_note_claim(note, i, &section)); i++) {
    if (!covers(c->equation, label)) continue;
    if (section != last) celi_text_format(text, "%s`%s`: ", last ? "; " : "", section->file);
    celi_text_format(text, "%s%s (%s)", section == last ? "; " : "", c->claim,
                     cel_check_kind_text(c->kind));
    last = section;
  }
  if (!last) celi_text_format(text, "a step of the derivation");
}

/// Adds the list of notes: what each note is about, with its title and author.
static void add_notes(CeliText *text) {
  const CeliNote *note;
  for (int i = 0; (note = celi_note_at(i)); i++)
    celi_text_format(text, "- **%s.** %s\n", note->name, note->about);
  celi_text_format(text, "\n");
}

CelStatus cel_verify_equations(char **out) {
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  CeliText text = {0};
  add_notes(&text);
  celi_text_format(&text, "| label | form, and why | functions | checks |\n"
                          "| --- | --- | --- | --- |\n");
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
    for (const Equation *e = tables[i].equations; e->label; e++) {
      celi_text_format(&text, "| [%s, %s] | %s | ", tables[i].note->name, e->label, e->form);
      add_functions(&text, tables[i].note, e->label);
      celi_text_format(&text, " | ");
      add_checks(&text, tables[i].note, e->label);
      celi_text_format(&text, " |\n");
    }
  const CelStatus status = celi_text_status(&text);
  if (status != CEL_OK) {
    celi_text_free(&text);
    return status;
  }
  *out = text.data;
  return CEL_OK;
}
