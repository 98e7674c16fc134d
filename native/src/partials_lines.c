/* Lines: partials that are no multiples of the pitch, as bells have them (partials.py, _lines). */
#include "note.h"

enum { AROUND = 6, WINDOW = 2 * AROUND + 1 };
static const float LINE_OVER = 10.0f, LEAST_LINE = 1e-3f; /* in power; share of the power */
static const double BESIDE = 2.5;                         /* bins from a partial, where what is left of it is no line */

/* The median of the sums around a band, with zeros beyond the first and last. */
static float median_around(const double *sums, int bands, int band) {
  float sorted[WINDOW];
  for (int i = 0; i < WINDOW; i++) {
    int at = band - AROUND + i, place = i;
    float value = at >= 0 && at < bands ? (float)sums[at] : 0.0f;
    for (; place > 0 && sorted[place - 1] > value; place--) sorted[place] = sorted[place - 1];
    sorted[place] = value;
  }
  return sorted[AROUND];
}

/* Sums over all frames of the first `bands` bands, and the sum of all. */
static double sums_of(const NoteParts *parts, const float *cells, int bands, int all, double *sums) {
  double total = 0.0;
  for (int i = 0; i < bands; i++) sums[i] = 0.0;
  for (int frame = 0; frame < parts->frames; frame++) {
    const float *row = cells + (size_t)frame * parts->stride;
    for (int i = 0; i < bands; i++) sums[i] += (double)row[i];
    for (int i = bands; i < all; i++) total += (double)row[i];
  }
  for (int i = 0; i < bands; i++) total += sums[i];
  return total;
}

/* Frequency of a peak in Hz: with the larger neighbour's share r of its amplitude it is (2 r - 1) / (r + 1) bins from the peak. */
static double place_of(const View *view, const double *whole, int band) {
  double below = ts_sqrt(whole[band - 1]), peak = ts_sqrt(whole[band]), above = ts_sqrt(whole[band + 1]);
  double share = (below > above ? below : above) / (peak > 1e-20 ? peak : 1e-20);
  double offset = (2.0 * share - 1.0) / (share + 1.0);
  offset = (offset > 0.0 ? offset : 0.0) * (above > below ? 1.0 : -1.0);
  offset = offset > -0.5 ? (offset < 0.5 ? offset : 0.5) : -0.5;
  return (band + offset) * view->rate / view->n_fft;
}

static void take_line(const View *view, int band, double place, NoteParts *parts) {
  const int first = band > 2 ? band - 2 : 0, last = band + 3 < view->bands ? band + 3 : view->bands;
  float *row = parts->rows + (size_t)(parts->partials + parts->lines) * parts->columns;
  for (int frame = 0; frame < parts->frames; frame++) {
    float *rest = parts->rest + (size_t)frame * parts->stride, sum = 0.0f;
    for (int i = first; i < last; i++) sum += rest[i], rest[i] = 0.0f;
    row[frame] = sum;
  }
  parts->place[parts->lines++] = place;
}

Status note_lines(const Note *note, double hertz, NoteParts *parts, Arena *work) {
  const View *view = &note->view;
  const size_t used = work->used;
  int narrow = 0, found[MOST_LINES], count = 0;
  while (narrow < view->bands && view->edges[narrow + 1] - view->edges[narrow] == 1) narrow++;
  parts->lines = 0;
  if (narrow <= 2 * AROUND) return TS_OK;
  double *sums = TAKE(work, double, narrow), *whole = TAKE(work, double, narrow);
  if (sums == NULL || whole == NULL) return TS_MEMORY;
  sums_of(parts, parts->rest, narrow, narrow, sums);
  const float least = LEAST_LINE * (float)sums_of(parts, parts->power, narrow, view->bands, whole);
  for (int band = 1; band + 1 < narrow; band++) {
    const float middle = (float)sums[band];
    if (!(middle >= (float)sums[band - 1] && middle > (float)sums[band + 1] && middle > least)) continue;
    if (!(middle > LINE_OVER * median_around(sums, narrow, band))) continue;
    int at = count < MOST_LINES ? count++ : MOST_LINES; /* sorted from the largest, earlier ones first */
    for (; at > 0 && (float)sums[found[at - 1]] < middle; at--)
      if (at < MOST_LINES) found[at] = found[at - 1];
    if (at < MOST_LINES) found[at] = band;
  }
  for (int i = 0; i < count; i++) {
    const double place = place_of(view, whole, found[i]), multiple = round_half_even(place / hertz);
    const double away = place - hertz * (multiple > 1.0 ? multiple : 1.0);
    if ((away < 0.0 ? -away : away) * view->n_fft / view->rate >= BESIDE) take_line(view, found[i], place, parts);
  }
  work->used = used;
  return TS_OK;
}
