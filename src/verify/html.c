/// The HTML page of `celsius verify`: a summary, three plots and the table of checks. The page is
/// one file and loads nothing from elsewhere.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "celsius/improve.h"
#include "verify/svg.h"
#include "verify/verify.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- the plots

/// [discrete-soft-policy-gradient, vanishing]: the norm of the gradient in one state, for Q = (1,
/// .5, 0, -1), alpha = .1 and logits (0, 0, 0, c), over c.
static CelStatus plot_vanishing(CeliSvgPlot *plot) {
  static const double Q[] = {1, .5, 0, -1};
  CelMdpBuilder *builder = NULL;
  CelMdp *mdp = NULL;
  CelStatus status = cel_mdp_builder_create(&builder, 1, 0.5, 0);
  for (int a = 0; a < 4 && status == CEL_OK; a++) {
    status = cel_mdp_pair(builder, 0, a, Q[a]);
    if (status == CEL_OK) status = cel_mdp_transition(builder, 0, 1, 0, true);
  }
  if (status == CEL_OK) status = cel_mdp_build(builder, &mdp);
  cel_mdp_builder_destroy(builder);
  CELI_TRY(status);
  plot->id = "vanishing", plot->title = "The gradient vanishes at the corner of the worst action";
  plot->x_label = "logit of the worst action", plot->y_label = "norm of the gradient",
  plot->log_y = true;
  CeliSvgCurve *vanilla = celi_svg_curve(plot, "gradient, pi A_soft", false);
  CeliSvgCurve *natural = celi_svg_curve(plot, "natural gradient", false);
  for (int i = 0; i <= 60 && status == CEL_OK; i++) {
    const double c = .5 * i;
    double pi[4], g[4];
    celi_dense_softmax((double[]){0, 0, 0, c}, 4, 1, pi);
    cel_soft_policy_gradient(mdp, pi, Q, .1, NULL, g);
    celi_svg_point(vanilla, c, sqrt(celi_dense_dot(g, g, 4)));
    status = cel_policy_gradient(mdp, pi, .1, .5, true, g);
    for (int a = 0; a < 4; a++) g[a] *= .5; // removes the factor 1/(1-gamma) of the gradient of J
    celi_svg_point(natural, c, sqrt(celi_dense_dot(g, g, 4)));
  }
  cel_mdp_destroy(mdp);
  return status;
}

/// Solves for alpha. *soft is J of the optimal policy with its entropy, *hard is J of the same
/// policy without it.
static CelStatus returns_at(const CelMdp *mdp, double alpha, double *soft, double *hard) {
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *solution = NULL;
  double *V = NULL, bound;
  config.alpha = alpha;
  CELI_TRY(cel_solve(mdp, &config, &solution));
  CelStatus status = celi_alloc(&V, (size_t)mdp->states, sizeof *V, "values for a plot");
  if (status == CEL_OK)
    status = cel_mdp_evaluate(mdp, solution->pi, 0, mdp->discount, CEL_EVALUATE_SWEEPS, 1e-10, V,
                              NULL, &bound);
  *soft = solution->value_start;
  if (status == CEL_OK) *hard = cel_value_start(mdp, V);
  free(V);
  cel_solution_destroy(solution);
  return status;
}

/// [maximum-entropy, 8.26]: J over alpha, between J at alpha = 0 and that plus alpha log
/// A/(1-gamma).
static CelStatus plot_temperature(const CelMdp *mdp, CeliSvgPlot *plot) {
  double greedy, soft = 0, hard = 0;
  plot->id = "temperature", plot->title = "Optimal return over the temperature alpha";
  plot->x_label = "alpha", plot->y_label = "J", plot->log_x = true;
  CeliSvgCurve *value = celi_svg_curve(plot, "soft J of pi*", false);
  CeliSvgCurve *without = celi_svg_curve(plot, "J of pi* without entropy", false);
  CeliSvgCurve *least = celi_svg_curve(plot, "J at alpha = 0 (lower bound)", true);
  CeliSvgCurve *most = celi_svg_curve(plot, "that + alpha log A/(1-gamma)", true);
  CELI_TRY(returns_at(mdp, 0, &greedy, &hard));
  for (int i = 0; i <= 30; i++) {
    const double alpha = pow(10, -4 + i * .125);
    CELI_TRY(returns_at(mdp, alpha, &soft, &hard));
    celi_svg_point(value, alpha, soft);
    celi_svg_point(without, alpha, hard);
    celi_svg_point(least, alpha, greedy);
    celi_svg_point(most, alpha,
                   greedy + alpha * log((double)mdp->max_actions) / (1 - mdp->discount));
  }
  return CEL_OK;
}

static double sup_distance(const double *x, const double *y, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i] - y[i]));
  return most;
}

/// Adds the errors of soft policy iteration with the bound from the previous error, and the errors
/// of soft value iteration with the bound gamma^k e_0.
static CelStatus add_errors(const CelMdp *mdp, const CelSolution *best, double *V, double *Q,
                            double *pi, CeliSvgPlot *plot) {
  const double gamma = mdp->discount, alpha = best->alpha;
  CeliSvgCurve *newton = celi_svg_curve(plot, "soft policy iteration", false);
  CeliSvgCurve *bound = celi_svg_curve(plot, "bound from the previous error", true);
  CeliSvgCurve *sweeps = celi_svg_curve(plot, "soft value iteration", false);
  CeliSvgCurve *rate = celi_svg_curve(plot, "bound gamma^k e_0", true);
  double certified, e = 0;
  memset(Q, 0, (size_t)mdp->pairs * sizeof *Q);
  for (int k = 0; k < 12; k++) {
    cel_policy_of_q(mdp, Q, alpha, pi);
    CELI_TRY(cel_mdp_evaluate(mdp, pi, alpha, gamma, CEL_EVALUATE_SWEEPS, 1e-14, V, Q, &certified));
    if (k > 0) celi_svg_point(bound, k, gamma * gamma * e * e / (8 * alpha * (1 - gamma)));
    e = sup_distance(V, best->V, mdp->states);
    celi_svg_point(newton, k, e);
    if (e < 1e-11) break;
  }
  memset(V, 0, (size_t)mdp->states * sizeof *V);
  const double first = sup_distance(V, best->V, mdp->states);
  for (int k = 0; k <= 30; k++) {
    celi_svg_point(sweeps, k, sup_distance(V, best->V, mdp->states));
    celi_svg_point(rate, k, pow(gamma, k) * first);
    cel_q_of_v(mdp, V, gamma, Q);
    cel_value_of_q(mdp, Q, alpha, V);
  }
  return CEL_OK;
}

/// [policy-guarantees, Theorem 1]: the convergence of soft policy iteration and its rate.
static CelStatus plot_convergence(const CelMdp *mdp, CeliSvgPlot *plot) {
  CelSolveConfig config = cel_solve_config_default();
  CelSolution *best = NULL;
  double *room = NULL;
  plot->id = "convergence", plot->title = "Convergence of two methods, with bounds on the error";
  plot->x_label = "iteration", plot->y_label = "max |V* - V|", plot->log_y = true;
  config.alpha = .1, config.tolerance = 1e-13;
  CELI_TRY(cel_solve(mdp, &config, &best));
  const size_t S = (size_t)mdp->states, n = (size_t)mdp->pairs;
  CelStatus status = celi_alloc(&room, S + 2 * n, sizeof *room, "values for a plot");
  if (status == CEL_OK) status = add_errors(mdp, best, room, room + S, room + S + n, plot);
  free(room);
  cel_solution_destroy(best);
  return status;
}

static CelStatus add_plots(CeliText *text) {
  CeliSvgPlot *plot = NULL;
  CelMdp *mdp = NULL;
  CelStatus status = celi_alloc(&plot, 3, sizeof *plot, "three plots");
  if (status == CEL_OK) memset(plot, 0, 3 * sizeof *plot);
  if (status == CEL_OK) status = cel_mdp_generate(&mdp, "garnet", NULL);
  if (status == CEL_OK) status = plot_vanishing(&plot[0]);
  if (status == CEL_OK) status = plot_temperature(mdp, &plot[1]);
  if (status == CEL_OK) status = plot_convergence(mdp, &plot[2]);
  for (int i = 0; i < 3 && status == CEL_OK; i++) {
    celi_text_format(text, "<figure>\n");
    celi_svg_write(text, &plot[i]);
    celi_text_format(text, "</figure>\n");
  }
  free(plot);
  cel_mdp_destroy(mdp);
  return status;
}

// ---- the table

static void add_cell(CeliText *text, const char *class, const char *content) {
  celi_text_format(text, "<td class=\"%s\">", class);
  celi_svg_escape(text, content);
  celi_text_format(text, "</td>");
}

static void add_number(CeliText *text, double value, int digits) {
  char number[40];
  snprintf(number, sizeof number, "%.*g", digits, value);
  add_cell(text, "n", number);
}

static void add_row(CeliText *text, const CelCheck *check) {
  celi_text_format(text, "<tr class=\"%s\">", check->pass ? "pass" : "fail");
  add_cell(text, "e", check->equation);
  celi_text_format(text, "<td>");
  celi_svg_escape(text, check->claim);
  if (check->message[0]) {
    celi_text_format(text, "<br><b>");
    celi_svg_escape(text, check->message);
    celi_text_format(text, "</b>");
  }
  celi_text_format(text, "</td>");
  add_cell(text, "f", check->function);
  add_number(text, check->left, 10);
  add_cell(text, "k", cel_check_kind_text(check->kind));
  add_number(text, check->right, 10);
  add_number(text, check->residual, 2);
  add_number(text, check->tolerance, 2);
  celi_text_format(text, "<td class=\"n\">%lld</td>", (long long)check->cases);
  add_cell(text, "v", check->pass ? "pass" : "FAIL");
  celi_text_format(text, "</tr>\n");
}

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>celsius verify</title>\n<style>\n"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;"
    "color:#222;background:#fff}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px}\n"
    "th,td{text-align:left;padding:3px 8px;border-bottom:1px solid #e3e3e3;vertical-align:top}\n"
    "th{position:sticky;top:0;background:#fff}\n"
    "td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "td.e,td.k,td.v{white-space:nowrap}td.f{font-family:monospace;font-size:12px}\n"
    "td.k{text-align:center}tr.pass td.v{color:#2c8f4e}\n"
    "tr.fail{background:#fdecea}tr.fail td.v{color:#b3261e;font-weight:bold}\n"
    "figure{margin:1em 0}svg{width:100%;max-width:800px;font:12px system-ui,sans-serif}\n"
    "svg .grid{stroke:#e3e3e3}svg .curve{fill:none;stroke-width:2}\n"
    "svg .title{font-size:15px;font-weight:600}\n"
    "</style></head><body>\n<h1>celsius verify</h1>\n";

/// Adds the heading of a note, what the note is about, and the header of its table.
static void add_note(CeliText *text, const char *note) {
  celi_text_format(text, "<h2 id=\"%s\">%s</h2>\n<p class=\"about\">", note, note);
  for (int i = 0; cel_verify_note_at(i); i++)
    if (strcmp(cel_verify_note_at(i), note) == 0) celi_svg_escape(text, cel_verify_note_about(i));
  celi_text_format(text,
                   "</p>\n<table><thead><tr><th>equation<th>claim<th>library function<th>left"
                   "<th><th>right<th>residual<th>tolerance<th>problems<th></tr></thead><tbody>\n");
}

static void add_table(CeliText *text, const CelVerifyReport *report) {
  const char *note = "";
  for (int64_t i = 0; i < report->count; i++) {
    const CelCheck *check = &report->check[i];
    if (strcmp(note, check->note) != 0) {
      if (note[0]) celi_text_format(text, "</tbody></table>\n");
      note = check->note;
      add_note(text, note);
    }
    add_row(text, check);
  }
  if (note[0]) celi_text_format(text, "</tbody></table>\n");
}

CelStatus cel_verify_write_html(const CelVerifyReport *report, const char *path) {
  CELI_NEED(report);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  CeliText text = {0};
  celi_text_add(&text, head, sizeof head - 1);
  celi_text_format(
      &text,
      "<p id=\"summary\">%lld of %lld check%s pass (%.1f s). Each row is a claim of a note, "
      "followed by the two ways of computing its number: the left &ldquo;against&rdquo; the "
      "right. The row shows the worst of its random problems: the left number, what must hold, "
      "and the right number. The residual is left minus right, without its sign for = and !=. It "
      "must be at most the tolerance for = and &lt;=, and above the tolerance for != and "
      "&gt;.</p>\n"
      "<p>A claim that begins with &ldquo;printed&rdquo; tests an equation exactly as the "
      "note prints it. That form is wrong, and the row shows where. &ldquo;(standard "
      "errors)&rdquo; marks a simulation, whose tolerance is a number of standard "
      "errors. &ldquo;(float32)&rdquo; marks a library function that computes in single "
      "precision. %lld rows do not use the library; they compare two computations of a "
      "claim of the note.</p>\n",
      (long long)(report->count - report->failed), (long long)report->count, celi_s(report->count),
      report->seconds, (long long)cel_verify_count_without_library(report));
  CelStatus status = add_plots(&text);
  add_table(&text, report);
  celi_text_format(&text, "</body></html>\n");
  if (status == CEL_OK) status = celi_text_status(&text);
  if (status == CEL_OK) status = celi_file_write(path, text.data, text.size);
  celi_text_free(&text);
  return status;
}
