/// Pictures of certificates: the kind of picture for each problem, and its texts.
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "view/certificate.h"
#include "view/plot.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Finds a measure by name, or NULL.
static const CelMeasure *measure(const CelCertificate *c, const char *name) {
  for (int i = 0; i < c->n; i++)
    if (strcmp(c->measure[i].name, name) == 0) return &c->measure[i];
  return NULL;
}

const char *celi_certificate_number(char text[CELI_CERTIFICATE_NUMBER], double value) {
  snprintf(text, CELI_CERTIFICATE_NUMBER, "%s%.5g", value < 0 ? "\xe2\x88\x92" : "", fabs(value));
  return text;
}

/// Writes the shortfall as a fraction of J* - J uniform, such as "0.12% of the possible gain".
static void lost_text(char *text, size_t size, double share) {
  if (fabs(share) < 5e-5)
    snprintf(text, size, "less than 0.01%% of the possible gain");
  else
    snprintf(text, size, "%s%.*f%% of the possible gain", share < 0 ? "\xe2\x88\x92" : "",
             fabs(share) < 0.0995 ? 2 : 1, 100 * fabs(share));
}

/// Converts an algorithm's name to capitals, as in legends of curves: "SAC".
static void upper_case(char *text) {
  for (; *text && *text != ' '; text++)
    if (*text >= 'a' && *text <= 'z') *text = (char)(*text - 'a' + 'A');
}

static void make_text(CeliCertificateText *text, const CelCertificate *c, const char *title) {
  const CelMeasure *J = measure(c, "soft_return"), *share = measure(c, "shortfall_share");
  char lost[64] = "";
  if (title)
    snprintf(text->title, sizeof text->title, "%s", title);
  else
    snprintf(text->title, sizeof text->title, "%s on %s", c->algo, c->env);
  if (!title) upper_case(text->title);
  if (share && isfinite(share->off)) lost_text(lost, sizeof lost, share->off);
  char number[2][CELI_CERTIFICATE_NUMBER];
  if (J)
    snprintf(text->subtitle, sizeof text->subtitle, "alpha %.4g, gamma %.4g; %sreturn %s of %s%s%s",
             c->alpha, c->gamma, c->alpha > 0 ? "soft " : "",
             celi_certificate_number(number[0], J->learned),
             celi_certificate_number(number[1], J->exact), lost[0] ? "; lost " : "", lost);
}

// ---- LQR: actions at the visited states

static CelStatus plot_lqr(const CelCertificate *certificate, const CeliCertificateText *text,
                          const char *path, bool svg) {
  enum { PANELS = 4 };
  const CelCertifiedLqr *c = certificate->lqr;
  const int n = c->lqr.n, m = c->lqr.m, panels = m < PANELS ? m : PANELS;
  CeliScatterPanel panel[PANELS];
  double *data = NULL;
  CELI_TRY(celi_alloc(&data, (size_t)(3 * panels * c->n), sizeof *data, "a picture"));
  for (int a = 0; a < panels; a++) {
    double *x = data + 3 * a * c->n, *y = x + c->n, *band = y + c->n;
    for (int64_t i = 0; i < c->n; i++) {
      x[i] = 0;
      for (int k = 0; k < n; k++) x[i] -= c->exact.K[a * n + k] * (double)c->x[i * n + k];
      y[i] = (double)c->mean[i * m + a];
      band[i] = (double)c->sd[i * m + a];
    }
    panel[a] = (CeliScatterPanel){.n = c->n, .x = x, .y = y, .band = band};
    snprintf(panel[a].title, sizeof panel[a].title, "action %d: sd %.3g, exact %.3g", a,
             sqrt(c->Sigma[a * m + a]), sqrt(c->exact.Sigma[a * m + a]));
    snprintf(panel[a].x_label, sizeof panel[a].x_label, "exact mean, \xe2\x88\x92K x");
    snprintf(panel[a].y_label, sizeof panel[a].y_label, "learned mean, \xc2\xb1 sd");
  }
  const CelStatus status = celi_certificate_draw_scatter(panel, panels, text, path, svg);
  free(data);
  return status;
}

// ---- finite problems that are not grids

/// Copies the entries of x of reachable states (or their pairs) to out. Returns their number.
static int64_t gather(const CelCertifiedMdp *c, const double *x, bool pairs, double *out) {
  int64_t n = 0;
  for (int64_t s = 0; s < c->mdp->states; s++) {
    if (!c->reached[s]) continue;
    const int64_t begin = pairs ? c->mdp->pair[s] : s, end = pairs ? c->mdp->pair[s + 1] : s + 1;
    for (int64_t k = begin; k < end; k++) out[n++] = x[k];
  }
  return n;
}

/// The discounted distribution at the same states (or pairs), relative to its maximum.
static void gather_visits(const CelCertifiedMdp *c, bool pairs, double *out) {
  int64_t n = 0;
  double most = 0;
  for (int64_t s = 0; s < c->mdp->states; s++) {
    if (!c->reached[s]) continue;
    const int64_t count = pairs ? c->mdp->pair[s + 1] - c->mdp->pair[s] : 1;
    for (int64_t k = 0; k < count; k++) out[n++] = fmax(0, c->state_distribution[s]);
    most = fmax(most, c->state_distribution[s]);
  }
  for (int64_t i = 0; i < n && most > 0; i++) out[i] /= most;
}

static void add_panel(CeliScatterPanel *panel, double **room, const CelCertifiedMdp *c, bool pairs,
                      const double *exact, const double *learned, const char *title,
                      const char *what) {
  double *x = *room, *y, *size;
  const int64_t n = gather(c, exact, pairs, x);
  y = x + n;
  size = y + n;
  gather(c, learned, pairs, y);
  gather_visits(c, pairs, size);
  *room = size + n;
  *panel = (CeliScatterPanel){.n = n, .x = x, .y = y, .size = size};
  snprintf(panel->title, sizeof panel->title, "%s", title);
  snprintf(panel->x_label, sizeof panel->x_label, "exact %s", what);
  snprintf(panel->y_label, sizeof panel->y_label, "learned %s", what);
}

static CelStatus plot_table(const CelCertificate *certificate, const CeliCertificateText *text,
                            const char *path, bool svg) {
  const CelCertifiedMdp *c = certificate->mdp;
  CeliScatterPanel panel[3];
  double *data = NULL, *room;
  int n = 0;
  CELI_TRY(celi_alloc(&data, (size_t)(3 * (c->mdp->states + 2 * c->mdp->pairs)), sizeof *data,
                      "a picture"));
  room = data;
  add_panel(&panel[n++], &room, c, false, c->exact->V, c->V, "value of the policy", "V(s)");
  add_panel(&panel[n++], &room, c, true, c->exact->pi, c->pi, "policy", "pi(a|s)");
  if (c->learned_Q)
    add_panel(&panel[n++], &room, c, true, c->exact->Q, c->learned_Q, "action values", "Q(s,a)");
  const CelStatus status = celi_certificate_draw_scatter(panel, n, text, path, svg);
  free(data);
  return status;
}

CelStatus cel_plot_certificate(const CelCertificate *certificate, const char *title,
                               const char *out_path) {
  CELI_NEED(certificate);
  CELI_NEED(out_path);
  CELI_FLOATS(CELI_IEEE);
  CeliCertificateText text;
  bool svg;
  memset(&text, 0, sizeof text);
  CELI_TRY(celi_picture_format(out_path, &svg));
  make_text(&text, certificate, title);
  if (certificate->plane) return celi_certificate_draw_plane(certificate, &text, out_path, svg);
  if (certificate->lqr) return plot_lqr(certificate, &text, out_path, svg);
  const CelMdpGrid *grid = certificate->mdp->mdp->grid;
  if (grid && grid->rows <= 4000 && grid->columns <= 4000)
    return celi_certificate_draw_grids(certificate, &text, out_path, svg);
  return plot_table(certificate, &text, out_path, svg);
}
