/// Pictures of certificates: what the files share.
///
/// plot_certificate.c chooses the picture. certificate_plane.c draws the multi-goal plane.
/// certificate_scatter.c draws scatter plots, and two grid worlds by grid_draw.c.
#ifndef CELI_VIEW_CERTIFICATE_H
#define CELI_VIEW_CERTIFICATE_H
#include "base/base.h"
#include "celsius/certify.h"

/// The texts above a picture of a certificate.
typedef struct CeliCertificateText {
  char title[CEL_PATH_MAX];
  char subtitle[256];
} CeliCertificateText;

enum { CELI_CERTIFICATE_NUMBER = 32 };
/// Writes a number with five digits and a true minus sign (U+2212). Returns `text`.
const char *celi_certificate_number(char text[CELI_CERTIFICATE_NUMBER], double value);

/// One panel of a scatter plot: learned against exact values.
typedef struct CeliScatterPanel {
  char title[96];
  char x_label[64], y_label[64];
  int64_t n;
  const double *x, *y; ///< (n,)
  const double *size;  ///< (n,) size of a point, 0 to 1; NULL: all equal
  const double *band;  ///< (n,) half height of an error bar around y; NULL: none
} CeliScatterPanel;

/// Errors: CEL_E_IO, CEL_E_MEMORY, CEL_E_UNSUPPORTED.
CelStatus celi_certificate_draw_plane(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path,
                                      bool svg) CEL_WARN_UNUSED;
CelStatus celi_certificate_draw_scatter(const CeliScatterPanel *panel, int n,
                                        const CeliCertificateText *text, const char *path,
                                        bool svg) CEL_WARN_UNUSED;
CelStatus celi_certificate_draw_grids(const CelCertificate *certificate,
                                      const CeliCertificateText *text, const char *path,
                                      bool svg) CEL_WARN_UNUSED;

#endif
