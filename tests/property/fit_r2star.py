"""Fits S = sqrt(S0^2 exp(-2 R2* te) + 2 sigma^2) with scipy.optimize.curve_fit.

Input, text: one line "sigma te_1 .. te_n" (te in ms), then per voxel "r2star n_usable s_1 .. s_n".
Output: number of voxels, median and 95th percentile of |R2* - scipy's R2*|, both in 1/s.
"""
import sys

import numpy
from scipy.optimize import curve_fit

with open(sys.argv[1]) as file:
    sigma, *te_ms = map(float, file.readline().split())
    te_s = numpy.array(te_ms) / 1000
    differences = []
    for line in file:
        r2star, usable, *signal = map(float, line.split())
        n = int(usable)

        def model(t, s0, r):
            return numpy.sqrt(s0 * s0 * numpy.exp(-2 * r * t) + 2 * sigma * sigma)

        try:
            found, _ = curve_fit(model, te_s[:n], signal[:n], p0=[signal[0] * 1.3, 40], maxfev=5000)
        except RuntimeError:
            continue
        differences.append(abs(found[1] - r2star))
print(len(differences), numpy.median(differences), numpy.percentile(differences, 95))
