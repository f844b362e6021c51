"""plan_data - CT, contours and SPECT of a box-shaped liver, and a scan of vials, whose truth is arithmetic.

    plan_data.py OUT       OUT/ct + rtstruct, OUT/spect, OUT/spect_elsewhere, OUT/vials, OUT/vials_hot, OUT/truth.json

Written with pydicom and numpy alone: nothing here comes from the program under test."""
import json
import os
import sys

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

CT, MR, NM = '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.5.1.4.1.1.20'
RTSTRUCT = '1.2.840.10008.5.1.4.1.1.481.3'
out = sys.argv[1]
serial = [0]


def uid():
    serial[0] += 1
    return '2.25.7700%d' % serial[0]


def new(sop_class, modality, series, study, frame):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b'\0' * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = 'Plan^Test', 'PLAN-1', '', ''
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
    ds.Modality, ds.StudyDate, ds.StudyTime = modality, '20260216', '090000'
    ds.SeriesDate, ds.SeriesTime = '20260216', '091000'
    ds.AcquisitionDate, ds.AcquisitionTime = '20260216', '091000'
    ds.StudyID, ds.AccessionNumber, ds.ReferringPhysicianName = '1', '', ''
    ds.Manufacturer, ds.StationName, ds.SeriesNumber = 'TEST', 'ROOM1', 1
    ds.PositionReferenceIndicator = ''
    return ds


def image(ds, pixels, spacing, origin, thickness, signed=0):
    ds.Rows, ds.Columns = pixels.shape[-2:]
    ds.PixelSpacing = [spacing, spacing]
    ds.ImagePositionPatient, ds.ImageOrientationPatient = origin, [1, 0, 0, 0, 1, 0]
    ds.SliceThickness = thickness
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, 'MONOCHROME2'
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, signed
    ds.PixelData = pixels.astype('<i2' if signed else '<u2').tobytes()


def save(ds, folder, name):
    os.makedirs(os.path.join(out, folder), exist_ok=True)
    ds.save_as(os.path.join(out, folder, name), write_like_original=False)


def structure_set(folder, study, series, frame, image_uids, image_class, regions):
    """regions: name -> list of (slice index, x y z points)"""
    ds = new(RTSTRUCT, 'RTSTRUCT', uid(), study, frame)
    ds.StructureSetLabel, ds.StructureSetDate, ds.StructureSetTime = 'PLAN', '20260216', '100000'
    contour_image = []
    for u in image_uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image_class, u
        contour_image.append(item)
    in_series, in_study, in_frame = Dataset(), Dataset(), Dataset()
    in_series.SeriesInstanceUID, in_series.ContourImageSequence = series, Sequence(contour_image)
    in_study.ReferencedSOPClassUID, in_study.ReferencedSOPInstanceUID = '1.2.840.10008.3.1.2.3.1', study
    in_study.RTReferencedSeriesSequence = Sequence([in_series])
    in_frame.FrameOfReferenceUID, in_frame.RTReferencedStudySequence = frame, Sequence([in_study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([in_frame])
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = Sequence(), Sequence(), Sequence()
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawn, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, 'MANUAL'
        roi.ReferencedFrameOfReferenceUID = frame
        drawn.ReferencedROINumber, drawn.ContourSequence = number, Sequence()
        for k, points in contours:
            c, ref = Dataset(), Dataset()
            ref.ReferencedSOPClassUID, ref.ReferencedSOPInstanceUID = image_class, image_uids[k]
            c.ContourImageSequence, c.ContourGeometricType = Sequence([ref]), 'CLOSED_PLANAR'
            c.NumberOfContourPoints = len(points)
            c.ContourData = ['%.4f' % v for p in points for v in p]
            drawn.ContourSequence.append(c)
        seen.ObservationNumber, seen.ReferencedROINumber = number, number
        seen.RTROIInterpretedType, seen.ROIInterpreter = 'ORGAN', ''
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawn)
        ds.RTROIObservationsSequence.append(seen)
    save(ds, folder, 'rtstruct.dcm')


# ---- a liver of boxes on CT: every volume is a product of three lengths ----
# CT: 2 mm pixels, 5 mm slices; SPECT: 4 mm. Every edge, in mm, lies between voxels of both.
study, frame, series = uid(), uid(), uid()
ct_uids = []
slices, first_z = 40, -97.5
for k in range(slices):
    ds = new(CT, 'CT', series, study, frame)
    ds.SeriesDescription, ds.ImageType, ds.InstanceNumber = 'low dose CT', ['ORIGINAL', 'PRIMARY', 'AXIAL'], k + 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.KVP = 1, -1024, 120
    image(ds, np.full((160, 160), 1064), 2, [-159, -159, first_z + 5 * k], 5)
    save(ds, 'ct', 'ct%02d.dcm' % k)
    ct_uids.append(ds.SOPInstanceUID)


def box(x, y, z):
    contours = []
    for k in range(slices):
        if z[0] < first_z + 5 * k < z[1]:
            zk = first_z + 5 * k
            contours.append((k, [(x[0], y[0], zk), (x[1], y[0], zk), (x[1], y[1], zk), (x[0], y[1], zk)]))
    return contours


boxes = {  # x, y, z in mm
    'Liver': ((-100, 60), (-60, 60), (-80, 20)),
    'Right lobe': ((-100, 0), (-60, 60), (-80, 20)),
    'Left lobe': ((0, 60), (-60, 60), (-80, 20)),
    'Tumour 1': ((-80, -40), (-20, 20), (-60, -20)),
    'Necrosis 1': ((-68, -52), (-8, 8), (-60, -40)),
    'Tumour 2': ((20, 40), (0, 20), (-40, -20)),
    'Lungs': ((-120, 80), (-60, 60), (40, 80)),
}
structure_set('ct', study, series, frame, ct_uids, CT, {n: box(*b) for n, b in boxes.items()})


def ml(b):
    return np.prod([hi - lo for lo, hi in b]) / 1000


# ---- SPECT on a 4 mm grid of its own; density of counts per mL of each box; necrosis 0 ----
n = 80
origin = -158.0
counts = np.zeros((n, n, n))
axis = origin + 4 * np.arange(n)


def fill(name, value):
    inside = [(axis > lo) & (axis < hi) for lo, hi in boxes[name]]
    counts[np.ix_(inside[2], inside[1], inside[0])] = value


per_ml = {'Lungs': 25, 'Right lobe': 200, 'Left lobe': 100, 'Tumour 1': 700, 'Tumour 2': 80, 'Necrosis 1': 0}
voxel_ml = 0.064
for name in ('Lungs', 'Right lobe', 'Left lobe', 'Tumour 1', 'Tumour 2', 'Necrosis 1'):
    fill(name, per_ml[name] * voxel_ml * 100)  # hundredths: the pixels are integers
for folder, its_frame in (('spect', frame), ('spect_elsewhere', uid())):
    ds = new(NM, 'NM', uid(), study, its_frame)
    ds.SeriesDescription, ds.ImageType = 'MAA SPECT', ['ORIGINAL', 'PRIMARY', 'RECON TOMO', 'EMISSION']
    ds.NumberOfFrames = n
    ds.FrameIncrementPointer = 0x00540080
    ds.NumberOfSlices, ds.SliceVector = n, list(range(1, n + 1))
    ds.SpacingBetweenSlices = 4
    ds.Units = 'CNTS'
    ds.CorrectedImage = ['ATTN', 'SCAT', 'DECY']
    radio, code, detector, window, wrange, rotation = (Dataset() for _ in range(6))
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = 'C-163A8', 'SRT', '^99m^Technetium'
    radio.RadionuclideCodeSequence, radio.RadiopharmaceuticalStartTime = Sequence([code]), '083000'
    ds.RadiopharmaceuticalInformationSequence = Sequence([radio])
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [origin] * 3, [1, 0, 0, 0, 1, 0]
    ds.DetectorInformationSequence, ds.NumberOfDetectors = Sequence([detector]), 1
    wrange.EnergyWindowLowerLimit, wrange.EnergyWindowUpperLimit = 130, 150
    window.EnergyWindowRangeSequence = Sequence([wrange])
    ds.EnergyWindowInformationSequence, ds.NumberOfEnergyWindows = Sequence([window]), 1
    rotation.ActualFrameDuration, rotation.NumberOfFramesInRotation, rotation.ScanArc = 20000, 60, 360
    ds.RotationInformationSequence, ds.NumberOfRotations = Sequence([rotation]), 1
    image(ds, counts.round(), 4, [origin] * 3, 4)
    del ds.ImagePositionPatient, ds.ImageOrientationPatient
    save(ds, folder, 'spect.dcm')

tumour1 = ml(boxes['Tumour 1']) - ml(boxes['Necrosis 1'])
right = dict(volume=ml(boxes['Right lobe']), necrosis=ml(boxes['Necrosis 1']), tumour=tumour1)
left = dict(volume=ml(boxes['Left lobe']), necrosis=0, tumour=ml(boxes['Tumour 2']))
k, rho, dose, shunt_ml = 15.87, 1.06, 60.0, ml(boxes['Lungs'])
lung = per_ml['Lungs'] * shunt_ml
liver = per_ml['Right lobe'] * (right['volume'] - ml(boxes['Tumour 1'])) + per_ml['Tumour 1'] * tumour1 \
    + per_ml['Left lobe'] * (left['volume'] - left['tumour']) + per_ml['Tumour 2'] * left['tumour']
shunt = lung / (lung + liver)
for p, tn in ((right, 700 / 200), (left, 80 / 100)):
    vital = p['volume'] - p['necrosis']
    p['activity'] = dose * vital * rho / k
    m_t, m_n = p['tumour'] * rho / 1000, (vital - p['tumour']) * rho / 1000
    p['tn'] = tn
    p['normal_gy'] = k * p['activity'] / 1000 * (1 - shunt) / (tn * m_t + m_n)
    p['tumour_gy'] = tn * p['normal_gy']
truth = dict(right=right, left=left, shunt=shunt,
             lung_gy=k * (right['activity'] + left['activity']) / 1000 * shunt / 1.0)

# ---- vials: discs along z, R2* = 12 + 217.8 c, Rician noise, one series of 16 echoes ----
TE = 1.33 + 1.15 * np.arange(16)
CONCENTRATIONS = [0, 0.25, 0.5, 1.0, 1.5, 2.0]


def vials(folder, concentrations, seed, intercept=12.0, slope=217.8, s0=1000.0, sigma=10.0):
    rng = np.random.default_rng(seed)
    study, frame, series = uid(), uid(), uid()
    size, pixel, n_slices = 96, 1.5, 5
    y, x = np.mgrid[0:size, 0:size] * pixel - 71.25
    centres = [(45 * np.cos(a), 45 * np.sin(a)) for a in 2 * np.pi * np.arange(len(concentrations)) / len(concentrations)]
    r2s, s0_map = np.full((size, size), 5.0), np.where(x ** 2 + y ** 2 < 66 ** 2, s0 * 0.8, 0)  # water bath, no signal outside
    for (cx, cy), c in zip(centres, concentrations):
        glass = (x - cx) ** 2 + (y - cy) ** 2 < 13.5 ** 2
        inside = (x - cx) ** 2 + (y - cy) ** 2 < 12.0 ** 2
        s0_map[glass & ~inside] = 0
        s0_map[inside], r2s[inside] = s0, intercept + slope * c
    uids, number = [], 0
    for k in range(n_slices):
        for e, te in enumerate(TE):
            clean = s0_map * np.exp(-r2s * te / 1000)
            noisy = np.hypot(clean + rng.normal(0, sigma, clean.shape), rng.normal(0, sigma, clean.shape))
            number += 1
            ds = new(MR, 'MR', series, study, frame)
            ds.SeriesDescription, ds.ImageType, ds.InstanceNumber = 'T2* vials', ['ORIGINAL', 'PRIMARY', 'M'], number
            ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = 'GR', 'SK', '', '2D'
            ds.EchoTime, ds.RepetitionTime, ds.FlipAngle = '%.2f' % te, 1000, 70
            ds.MagneticFieldStrength, ds.EchoNumbers = 3, e + 1
            image(ds, noisy.round(), pixel, [-71.25, -71.25, 4.0 * k], 4)
            save(ds, folder, 'mr%03d.dcm' % number)
            if e == 0:
                uids.append(ds.SOPInstanceUID)
    turn = 2 * np.pi * np.arange(72) / 72
    regions = {}
    for (cx, cy), c in zip(centres, concentrations):
        circle = [(cx + 12.0 * np.cos(a), cy + 12.0 * np.sin(a)) for a in turn]
        regions['Vial %.2f mg/mL' % c] = [(k, [(px, py, 4.0 * k) for px, py in circle]) for k in range(n_slices)]
    regions['water'] = [(k, [(-5, -5, 4.0 * k), (5, -5, 4.0 * k), (5, 5, 4.0 * k), (-5, 5, 4.0 * k)]) for k in range(n_slices)]
    structure_set(folder, study, series, frame, uids, MR, regions)


vials('vials', CONCENTRATIONS, 11)
vials('vials_hot', CONCENTRATIONS + [8.0], 12)
vials('vials_two', [0, 1.0], 13)
with open(os.path.join(out, 'vials.csv'), 'w') as table:
    table.write('name,mg_per_ml\n')
    for c in CONCENTRATIONS:
        table.write('Vial %.2f mg/mL,%g\n' % (c, 2 * c))  # twice the name says: the table counts
truth['relaxivity'], truth['intercept'] = 217.8, 12.0
with open(os.path.join(out, 'truth.json'), 'w') as f:
    json.dump(truth, f, indent=1)
