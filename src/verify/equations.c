/// Every equation of the notes: the form that is implemented and why, the functions that have it, the checks that try
/// it. docs/equations.md holds this as a table between two marks; `script/equations` puts it there.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "verify/verify.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Equation {
  const char *label; ///< "8.10"; NULL ends a note
  const char *form;
} Equation;

static const Equation maximum_entropy[] = {
    {"8.1", "J = E sum_t gamma^t r_t"},
    {"8.2", "J = E sum_t gamma^t (r_t - alpha log pi_t)"},
    {"8.3", "the same as a sum over p_t(x,u)"},
    {"8.4", "and with alpha H for -alpha log pi"},
    {"8.5", "H = -E_pi[log pi]; differential where actions are continuous"},
    {"8.6", "J = sum_t gamma^t E[r + alpha H]"},
    {"8.7", "V_t = E sum_{k >= t} gamma^{k-t} r_k, indexed by t where the horizon is finite"},
    {"8.8", "soft V_t, the entropy of step t included"},
    {"8.9", "J = E[V(x0)]"},
    {"8.10", "V = E_pi[Q - alpha log pi], not the integral of Q without pi; Q(x,u), not Q(u,x)"},
    {"8.11", "soft Q without the entropy of its own step; zero past the horizon, for there is no "
             "u_{T+1}"},
    {"8.12", "J = E[Q(x0,u0) - alpha log pi(u0 given x0)]; E[Q] alone forgets the first entropy"},
    {"8.13", "as 8.8 and 8.11, zero past the horizon"},
    {"8.14", "V = E_pi[Q - alpha log pi]"},
    {"8.15", "Q = r_t + what follows from t + 1, zero past the horizon"},
    {"8.16", "what follows depends on the next state alone"},
    {"8.17", "what follows is gamma E[V(x')]"},
    {"8.18", "Q = r + gamma E[V(x')], V of an episode's end being 0"},
    {"8.19", "V = E_pi[Q - alpha log pi]"},
    {"8.20", "V = E_pi[r + gamma E[V(x')] - alpha log pi]"},
    {"8.21", "Q = r + gamma E[Q(x',u') - alpha log pi(u' given x')]"},
    {"8.22", "F(pi) = E_pi[Q - alpha log pi] is maximised at a fixed Q; the derivative of V of pi "
             "itself has the state's visits as a factor"},
    {"8.23", "pointwise Q - alpha log pi - alpha + lambda = 0, lambda = alpha - alpha log Z the "
             "multiplier of normalisation"},
    {"8.24",
     "pi_new = exp((Q - alpha log Z)/alpha) of the old policy's Q; exp(Q/alpha - 1) sums to "
     "Z/e"},
    {"8.25", "pi = softmax(Q/alpha); for linear-quadratic problems a Gaussian"},
    {"8.26", "the limit alpha -> 0: greedy; for a fixed Q uniform over ties, for pi*_alpha not "
             "necessarily"},
    {"8.27", "V = alpha log Z only where pi is the softmax of its own Q"},
    {"8.28", "V = alpha log Z - alpha KL(pi, softmax(Q/alpha)) for any pi"},
    {"8.29", "Z = sum exp(Q/alpha), summed after the maximum is taken out"},
    {"8.30", "argmax F = argmin KL, over any class"},
    {0}};

static const Equation actor_critic[] = {
    {"4.1", "grad J = E sum_t gamma^t grad log pi_t times the discounted reward to go"},
    {"4.2", "a trajectory is its past and its future"},
    {"4.3", "the sum split there"},
    {"4.4", "E[reward to go given x_t, u_t] = Q_t, indexed by t where the horizon is finite"},
    {"4.5", "grad J = sum_t gamma^t E_{p_t}[grad log pi Q_t]"},
    {"4.6", "finite horizon: as 4.5; infinite: 1/(1-gamma) E_d[grad log pi Q], d = (1-gamma) sum_t "
            "gamma^t p_t, no sum over t beside it"},
    {"4.7", "without gamma^t: what practice does, not the gradient of J unless gamma = 1; both are "
            "offered"},
    {"4.8", "E[grad log pi b(x)], the baseline's term, not grad J"},
    {"4.9", "is 0, b independent of u"},
    {"4.10", "so a baseline changes no expectation"},
    {"4.11", "grad J with Q_t - b_t(x)"},
    {"4.12", "V = E_pi[Q], indexed by t where the horizon is finite"},
    {"4.13", "grad J with A_t = Q_t - V_t"},
    {"4.14", "its estimate from M samples, a mean; with gamma^t it is the gradient's"},
    {"4.15", "its estimate from one trajectory"},
    {"4.16", "Q = r + gamma E[V(x')], time-indexed or for ever"},
    {"4.17", "A = E[delta given x,u] with the exact V"},
    {"4.18", "V = E_pi[r + gamma E[V(x')]]"},
    {"4.19", "the target r + gamma V(x')"},
    {"4.20",
     "the target is held fixed; no V where the episode ended, V where only a time limit cut. "
     "Through both V's it is another loss: the Bellman error and the variance of delta"},
    {"4.21", "delta estimates A; biased where V is wrong"},
    {"4.22", "A is held fixed"},
    {"4.23", "A is held fixed; the index is i, the step size a learning rate"},
    {"4.24", "the product form takes a diagonal covariance, which may depend on the state"},
    {"4.25", "each factor a Gaussian"},
    {"4.26", "its logarithm"},
    {0}};

static const Equation discrete[] = {
    {"(6)", "the gradient of -E_pi[Q - alpha log pi] in the logits is -pi A_soft, so descent moves "
            "along +pi A_soft; V is that of the critic at hand; the derivative of log pi, left out "
            "there, sums to 0"},
    {"natural gradient",
     "pinv(F) (pi A_soft) = A_soft - mean of A_soft, which does not vanish with "
     "pi"},
    {"vanishing", "pi A_soft goes to 0 at every corner, the worst one too"},
    {0}};

static const Equation guarantees[] = {
    {"REINFORCE", "the mean over trajectories; gamma^t times the discounted reward to go is the "
                  "gradient of J, without gamma^t it is the practitioners' form"},
    {"PDL", "J' - J = sum_t gamma^t E_{p'_t} E_{pi'}[A]"},
    {"IS", "E_{pi'}[f] = E_pi[pi'/pi f], pi' absolutely continuous with respect to pi"},
    {"surrogate", "argmax over theta' of L(theta') = sum_t gamma^t E_{p_t} E_pi[pi'/pi A]"},
    {"coupling", "two distributions agree with probability 1 - epsilon, epsilon their total "
                 "variation"},
    {"drift", "L1 of p'_t - p_t is at most 2(1-(1-eps)^t), by coupling; p_mistake need not be a "
              "distribution unless pi is deterministic"},
    {"objective bound",
     "J' - J >= L - 2 eps gamma C/((1-gamma)(1-gamma(1-eps))), C = max over s of "
     "the absolute value of E_pi'[A]; linearised 2 eps gamma C/(1-gamma)^2"},
    {"(1)", "J with gamma^t, as 8.2"},
    {"(2)", "Q <- r + gamma E[V(s')]"},
    {"(3)", "V = E_pi[Q - alpha log pi]"},
    {"(4)", "the projection on exp(Q/alpha), not exp(Q): only so is it an improvement where V uses "
            "alpha"},
    {"(5)", "J_V: V towards E_pi[Q - alpha log pi]"},
    {"(7)", "J_Q: half the squared distance to the target, held fixed"},
    {"(8)", "r + gamma E[V(s')], s' from the environment"},
    {"(10)", "J_pi: KL to softmax(Q/alpha)"},
    {"(15)",
     "the augmented reward is r + gamma alpha E[H(pi(. given s'))]; as printed it is that of "
     "the temperature alpha/gamma"},
    {"(16)", "the projection's loss, state by state"},
    {"(17)", "it does not rise"},
    {"(18)", "so E_new[Q_old - alpha log pi_new] >= V_old"},
    {"(19)", "so Q_new >= Q_old"},
    {"SAC",
     "Algorithm 1: V from the networks of before, the critics from targets of before, the policy "
     "from the new critics, then psi' <- tau psi + (1 - tau) psi'"},
    {"temperature", "J_alpha = -log alpha (E log pi + target entropy), moved in log alpha"},
    {"Lemma 1", "soft evaluation contracts by gamma and ends in soft Q"},
    {"Lemma 2", "Q_new >= Q_old on a rectangular class: any mix of per-state choices is in it"},
    {"Theorem 1", "Q* >= Q of any policy, on a rectangular class, and not strictly; on the full "
                  "class with alpha > 0 the policies converge too, quadratically at the end"},
    {0}};

static const Equation soft_q[] = {
    {"1.1", "the ordinary objective, one gamma a level"},
    {"1.2", "the soft objective, one gamma a level, alpha H written out"},
    {"2.1", "TV = alpha log sum exp(Q_V/alpha), Q_V = r + gamma E[V(s')]; Q without the entropy of "
            "its own step; r(s,a) and r(s,a,s') both. The other Q-based equation is V of the state "
            "at pi*, whatever the action, so it is not used"},
    {"3.1", "V <- TV"},
    {"3.2",
     "V_Q = alpha log sum exp(Q/alpha), for averaging by pi_Q is no contraction; the loss is "
     "on Q, against r + gamma E[V_Q(s')] of a target, the mean outside of the logarithm"},
    {"4", "the target is exp((Q - V)/alpha)"},
    {0}};

static const struct {
  const CeliNote *note;
  const Equation *equations;
} tables[] = {{&celi_note_maximum_entropy, maximum_entropy},
              {&celi_note_actor_critic, actor_critic},
              {&celi_note_discrete_soft_policy_gradient, discrete},
              {&celi_note_policy_guarantees, guarantees},
              {&celi_note_soft_q_learning, soft_q}};

// ---- which checks try an equation

/// A label as what comes before its last number, the number, and what comes after: "8.", 10, "" or "(", 15, ")".
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

/// "8.10-8.15" or "(7)-(8)" holds the label; one without a dash is the label.
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

/// A check's equations, "8.11, 8.13-8.15", hold the label.
static bool covers(const char *equations, const char *label) {
  for (const char *part = equations; part;) {
    const char *comma = strstr(part, ", ");
    if (part_covers(part, comma ? (size_t)(comma - part) : strlen(part), label)) return true;
    part = comma ? comma + 2 : NULL;
  }
  return false;
}

// ---- text

/// The header that declares a function that checks name.
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

/// Names in the order in which they came, each once.
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

/// The library's functions that the checks of an equation try, and their headers.
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

/// The checks of an equation, behind the file in which each stands.
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

/// The notes as a list: what each is about, and where its labels come from.
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
  celi_text_format(&text, "| label | form, and why | what has it | checked by |\n"
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
