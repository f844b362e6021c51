#include "dataset_impl.hh"

#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "tags.h"

/* ---- once per process ---- */

/* DCMTK's process-wide switches that holmia changes; all others keep the toolkit's default:
 *   dcmEnableUnknownVRConversion  on: UN with a tag of the dictionary gets its real representation
 *   logging                       off: faults come back as status
 *   decoders                      JPEG, JPEG-LS, RLE */
extern "C" enum status_code dataset_library_init(struct status *st) noexcept
{
	static std::once_flag once;
	return guard(st, [&] {
		std::call_once(once, [] {
			OFLog::configure(OFLogger::OFF_LOG_LEVEL);
			dcmEnableUnknownVRConversion.set(OFTrue);
			DJDecoderRegistration::registerCodecs();
			DJLSDecoderRegistration::registerCodecs();
			DcmRLEDecoderRegistration::registerCodecs();
		});
		/* Without its dictionary DCMTK goes on and takes every element for unknown. */
		if (!dcmDataDict.isDictionaryLoaded() ||
		    DcmTag(DCM_DoseGridScaling).getEVR() != EVR_DS)
			return status_fail(st, STATUS_CONFIG,
					   "DCMTK's data dictionary is missing: install libdcmtk17 "
					   "(dicom.dic) or unset DCMDICTPATH");
		return STATUS_OK;
	});
}

/* ---- life ---- */

extern "C" enum status_code dataset_new(struct dataset **ds, struct status *st) noexcept
{
	return guard(st, [&] {
		std::unique_ptr<struct dataset> made(new struct dataset);
		made->file.getDataset()->putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
		*ds = made.release();
		return STATUS_OK;
	});
}

extern "C" void dataset_free(struct dataset *ds) noexcept
{
	delete ds;
}

/* All bytes are there: a value that ends beyond them is a truncated data set. */
template <typename Object>
static enum status_code parse(Object &object, const uint8_t *bytes, size_t size,
			      E_TransferSyntax syntax, struct status *st)
{
	DcmInputBufferStream stream;
	stream.setBuffer(bytes, static_cast<offile_off_t>(size));
	stream.setEos();
	object.transferInit();
	OFCondition done = object.read(stream, syntax, EGL_noChange, DCM_MaxReadLength);
	object.transferEnd();
	stream.releaseBuffer();
	if (done.bad())
		return status_fail(st, STATUS_REFUSE, "the data set cannot be parsed: %s",
				   done.text());
	return STATUS_OK;
}

static enum status_code syntax_check(E_TransferSyntax syntax, struct status *st)
{
	DcmXfer xfer(syntax);
	if (syntax == EXS_Unknown)
		return status_fail(st, STATUS_REFUSE, "unknown transfer syntax");
	if (xfer.getStreamCompression() != ESC_none)
		return status_fail(st, STATUS_REFUSE, "%s is not supported: send it uncompressed",
				   xfer.getXferName());
	return STATUS_OK;
}

extern "C" enum status_code dataset_read_memory(struct dataset **ds, const uint8_t *bytes,
						size_t size, const char *transfer_syntax_uid,
						struct status *st) noexcept
{
	return guard(st, [&] {
		E_TransferSyntax syntax = DcmXfer(transfer_syntax_uid).getXfer();
		enum status_code code = syntax_check(syntax, st);
		if (code != STATUS_OK)
			return status_prefix(st, "transfer syntax %s", transfer_syntax_uid);
		std::unique_ptr<struct dataset> made(new struct dataset);
		code = parse(*made->file.getDataset(), bytes, size, syntax, st);
		if (code == STATUS_OK)
			*ds = made.release();
		return code;
	});
}

static enum status_code file_bytes(std::vector<uint8_t> &bytes, const char *path, struct status *st)
{
	std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path, "rb"), fclose);
	if (!file)
		return status_fail(st, STATUS_REFUSE, "%s: cannot be opened", path);
	size_t got;
	do {
		size_t have = bytes.size();
		bytes.resize(have + (1 << 20));
		got = fread(bytes.data() + have, 1, 1 << 20, file.get());
		bytes.resize(have + got);
	} while (got > 0);
	if (ferror(file.get()))
		return status_fail(st, STATUS_REFUSE, "%s: cannot be read", path);
	return STATUS_OK;
}

extern "C" enum status_code dataset_read_file(struct dataset **ds, const char *path,
					      struct status *st) noexcept
{
	return guard(st, [&] {
		std::vector<uint8_t> bytes;
		enum status_code code = file_bytes(bytes, path, st);
		if (code != STATUS_OK)
			return code;
		std::unique_ptr<struct dataset> made(new struct dataset);
		bool preamble = bytes.size() >= 132 && memcmp(bytes.data() + 128, "DICM", 4) == 0;
		if (!preamble && bytes.size() < 8)
			return status_fail(st, STATUS_REFUSE, "%s: not a DICOM file", path);
		code = parse(made->file, bytes.data(), bytes.size(), EXS_Unknown, st);
		if (code == STATUS_OK)
			code = syntax_check(made->file.getDataset()->getOriginalXfer(), st);
		if (code == STATUS_OK && made->file.getDataset()->card() == 0)
			code = status_fail(st, STATUS_REFUSE, "the data set is empty");
		if (code != STATUS_OK)
			return status_prefix(st, "%s", path);
		*ds = made.release();
		return STATUS_OK;
	});
}

/* ---- paths ---- */

std::string tag_text(uint32_t tag)
{
	DcmTag known(tag_key(tag));
	const char *name = known.getTagName();
	return std::string(known.toString().c_str()) + " " + (name ? name : "");
}

DcmItem *path_item(const struct dataset *ds, const struct dataset_path &path)
{
	/* DCMTK's look-ups are not const, but change nothing that is seen from outside. */
	DcmItem *item = const_cast<struct dataset *>(ds)->file.getDataset();
	for (int i = 0; i + 2 < path.count && item; i += 2) {
		DcmItem *next = nullptr;
		if (path.step[i + 1] > 0x7FFFFFFF ||
		    item->findAndGetSequenceItem(tag_key(path.step[i]), next,
						 static_cast<long>(path.step[i + 1]))
			.bad())
			return nullptr;
		item = next;
	}
	return item;
}

static DcmElement *top_element(struct dataset *ds, uint32_t tag)
{
	auto &index = ds->index;
	if (index.empty()) {
		DcmDataset *top = ds->file.getDataset();
		for (DcmObject *entry = nullptr; (entry = top->nextInContainer(entry)) != nullptr;)
			index.emplace_back(static_cast<uint32_t>(entry->getGTag()) << 16 |
					       entry->getETag(),
					   static_cast<DcmElement *>(entry));
		std::sort(index.begin(), index.end());
	}
	auto found = std::lower_bound(
	    index.begin(), index.end(), tag,
	    [](const auto &entry, uint32_t wanted) { return entry.first < wanted; });
	return found != index.end() && found->first == tag ? found->second : nullptr;
}

DcmElement *path_element(const struct dataset *ds, const struct dataset_path &path)
{
	DcmElement *element = nullptr;
	if (path.count == 1)
		return top_element(const_cast<struct dataset *>(ds), path.step[0]);
	DcmItem *item = path_item(ds, path);
	if (!item || item->findAndGetElement(tag_key(path.step[path.count - 1]), element).bad())
		return nullptr;
	return element;
}

/* ---- numbers ---- */

/* The number between begin and end; NaN unless it is one, finite, and nothing else is there. */
static double parse_number(const char *begin, const char *end)
{
	while (begin < end && (*begin == ' ' || *begin == '\0'))
		begin++;
	while (end > begin && (end[-1] == ' ' || end[-1] == '\0'))
		end--;
	if (begin < end && *begin == '+')
		begin++;
	double value = NAN;
	std::from_chars_result parsed = std::from_chars(begin, end, value);
	if (begin == end || parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(value))
		return NAN;
	return value;
}

/* The index-th value of a multi-valued text as a number. */
static double text_number(const char *text, size_t length, unsigned long index)
{
	const char *end = text + length;
	for (; index > 0; index--) {
		text =
		    static_cast<const char *>(memchr(text, '\\', static_cast<size_t>(end - text)));
		if (!text)
			return NAN;
		text++;
	}
	const void *stop = memchr(text, '\\', static_cast<size_t>(end - text));
	return parse_number(text, stop ? static_cast<const char *>(stop) : end);
}

/* A private element whose representation nobody told: digits, else by its length SS, FL or FD. */
static double unknown_number(DcmElement *element)
{
	Uint8 *bytes = nullptr;
	if (element->getUint8Array(bytes).bad() || !bytes)
		return NAN;
	size_t length = element->getLength();
	double value =
	    parse_number(reinterpret_cast<char *>(bytes), reinterpret_cast<char *>(bytes) + length);
	if (!std::isnan(value))
		return value;
	if (length == 2) {
		int16_t s;
		memcpy(&s, bytes, sizeof(s));
		value = s;
	} else if (length == 4) {
		float f;
		memcpy(&f, bytes, sizeof(f));
		value = static_cast<double>(f);
	} else if (length == 8) {
		memcpy(&value, bytes, sizeof(value));
	}
	return std::isfinite(value) ? value : NAN;
}

template <typename Number, typename Getter> static double binary_number(Getter get)
{
	Number value = 0;
	return get(value).good() && std::isfinite(static_cast<double>(value))
		   ? static_cast<double>(value)
		   : NAN;
}

static double element_number(DcmElement *e, unsigned long index)
{
	const char *text;
	size_t length;
	if (element_raw_text(e, text, length))
		return text_number(text, length, index);
	switch (e->ident()) {
	case EVR_US:
		return binary_number<Uint16>([&](Uint16 &v) { return e->getUint16(v, index); });
	case EVR_SS:
		return binary_number<Sint16>([&](Sint16 &v) { return e->getSint16(v, index); });
	case EVR_UL:
		return binary_number<Uint32>([&](Uint32 &v) { return e->getUint32(v, index); });
	case EVR_SL:
		return binary_number<Sint32>([&](Sint32 &v) { return e->getSint32(v, index); });
	case EVR_FL:
		return binary_number<Float32>([&](Float32 &v) { return e->getFloat32(v, index); });
	case EVR_FD:
		return binary_number<Float64>([&](Float64 &v) { return e->getFloat64(v, index); });
	case EVR_UN:
		return index == 0 ? unknown_number(e) : NAN;
	default:
		return NAN;
	}
}

/* ---- look ---- */

extern "C" enum dataset_presence dataset_presence(const struct dataset *ds,
						  struct dataset_path path) noexcept
{
	try {
		DcmElement *element = path_element(ds, path);
		if (!element)
			return DATASET_ABSENT;
		const char *text;
		size_t length;
		if (element->isEmpty(OFTrue))
			return DATASET_EMPTY;
		if (element_raw_text(element, text, length) && length == 0)
			return DATASET_EMPTY;
		return DATASET_HAS_VALUE;
	} catch (...) {
		return DATASET_ABSENT;
	}
}

extern "C" enum status_code dataset_get_string(const struct dataset *ds, struct dataset_path path,
					       char *out, size_t size, struct status *st) noexcept
{
	out[0] = '\0';
	return guard(st, [&] {
		DcmElement *element = path_element(ds, path);
		if (!element)
			return STATUS_OK;
		std::string set;
		if (element_needs_character_set(element)) {
			set = character_set_of(path_item(ds, path));
			if (set.empty())
				set = character_set_of(path_item(ds, AT(path.step[0])));
		}
		std::string text = element_utf8(element, set);
		size_t length = text.size() < size ? text.size() : size - 1;
		while (length < text.size() && length > 0 && (text[length] & 0xC0) == 0x80)
			length--;
		/* A NUL inside a text would end it early for C: nothing beyond it is seen. */
		memcpy(out, text.data(), length);
		out[length] = '\0';
		return STATUS_OK;
	});
}

extern "C" double dataset_get_double(const struct dataset *ds, struct dataset_path path,
				     unsigned value_index) noexcept
{
	try {
		DcmElement *element = path_element(ds, path);
		return element ? element_number(element, value_index) : NAN;
	} catch (...) {
		return NAN;
	}
}

extern "C" int64_t dataset_get_int(const struct dataset *ds, struct dataset_path path,
				   int64_t fallback) noexcept
{
	double value = dataset_get_double(ds, path, 0);
	if (!(std::fabs(value) < 9007199254740992.0) || value != std::floor(value))
		return fallback;
	return static_cast<int64_t>(value);
}

extern "C" enum status_code dataset_get_doubles(const struct dataset *ds, struct dataset_path path,
						double **values, size_t *count,
						struct status *st) noexcept
{
	*values = nullptr;
	*count = 0;
	return guard(st, [&] {
		DcmElement *element = path_element(ds, path);
		if (!element || element->getLength() == 0)
			return STATUS_OK;
		std::vector<double> found;
		const char *text;
		size_t length;
		if (element_raw_text(element, text, length)) {
			const char *end = text + length;
			for (const char *begin = text; begin <= end;) {
				const void *stop =
				    memchr(begin, '\\', static_cast<size_t>(end - begin));
				const char *last = stop ? static_cast<const char *>(stop) : end;
				found.push_back(parse_number(begin, last));
				begin = last + 1;
			}
		} else {
			for (unsigned long i = 0; i < element->getVM(); i++)
				found.push_back(element_number(element, i));
		}
		for (size_t i = 0; i < found.size(); i++)
			if (std::isnan(found[i]))
				return status_fail(
				    st, STATUS_REFUSE, "%s: value %zu is not a number",
				    tag_text(path.step[path.count - 1]).c_str(), i + 1);
		if (found.empty())
			return STATUS_OK;
		double *copy = static_cast<double *>(malloc(found.size() * sizeof(double)));
		if (!copy)
			throw std::bad_alloc();
		memcpy(copy, found.data(), found.size() * sizeof(double));
		*values = copy;
		*count = found.size();
		return STATUS_OK;
	});
}

extern "C" unsigned dataset_item_count(const struct dataset *ds, struct dataset_path path) noexcept
{
	try {
		DcmElement *element = path_element(ds, path);
		DcmSequenceOfItems *sequence = dynamic_cast<DcmSequenceOfItems *>(element);
		return sequence ? static_cast<unsigned>(sequence->card()) : 0;
	} catch (...) {
		return 0;
	}
}

extern "C" double dataset_get_private_double(const struct dataset *ds, uint16_t group,
					     const char *creator, uint8_t element) noexcept
{
	try {
		uint32_t base = static_cast<uint32_t>(group) << 16;
		for (uint32_t block = 0x10; block <= 0xFF; block++) {
			DcmElement *owner = path_element(ds, AT(base | block));
			if (!owner)
				continue;
			if (element_utf8(owner, "") == creator)
				return dataset_get_double(ds, AT(base | block << 8 | element), 0);
		}
	} catch (...) {
	}
	return NAN;
}
