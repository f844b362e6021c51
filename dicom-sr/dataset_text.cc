#include "dataset_impl.hh"

#include <iconv.h>

static void trim(std::string &text)
{
	size_t end = text.find_last_not_of(std::string(" \0", 2));
	text.erase(end == std::string::npos ? 0 : end + 1);
	text.erase(0, text.find_first_not_of(' '));
}

bool element_raw_text(DcmElement *element, const char *&text, size_t &length)
{
	switch (element->getVR()) {
	case EVR_SQ:
	case EVR_OB:
	case EVR_OW:
	case EVR_OF:
	case EVR_OD:
	case EVR_OL:
	case EVR_OV:
	case EVR_UN:
	case EVR_px:
	case EVR_ox:
	case EVR_UNKNOWN:
	case EVR_UNKNOWN2B:
	case EVR_US:
	case EVR_SS:
	case EVR_UL:
	case EVR_SL:
	case EVR_FL:
	case EVR_FD:
	case EVR_AT:
	case EVR_UV:
	case EVR_SV:
	case EVR_PixelData:
	case EVR_OverlayData:
	case EVR_xs:
	case EVR_lt:
	case EVR_up:
	case EVR_na:
	case EVR_item:
	case EVR_pixelSQ:
	case EVR_pixelItem:
		return false;
	default:
		break;
	}
	char *value = nullptr;
	Uint32 size = 0;
	if (element->getString(value, size).bad() || !value)
		return false;
	text = value;
	length = size;
	return true;
}

/* Length of the valid UTF-8 sequence at text, 0 when there is none. */
static size_t utf8_sequence(const char *text, size_t length)
{
	auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
	unsigned char first = byte(0);
	size_t size = first < 0x80		      ? 1
		      : first >= 0xC2 && first < 0xE0 ? 2
		      : first >= 0xE0 && first < 0xF0 ? 3
		      : first >= 0xF0 && first < 0xF5 ? 4
						      : 0;
	if (size == 0 || size > length)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((byte(i) & 0xC0) != 0x80)
			return 0;
	if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
	    (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F))
		return 0;
	return size;
}

/* Bytes that are no UTF-8 become the replacement character, so that nothing else ever crosses the
 * wall. */
static std::string utf8_repaired(const char *text, size_t length)
{
	std::string out;
	for (size_t i = 0; i < length;) {
		size_t size = utf8_sequence(text + i, length - i);
		if (size == 0)
			out += "\xEF\xBF\xBD";
		else
			out.append(text + i, size);
		i += size ? size : 1;
	}
	return out;
}

static bool is_plain_ascii(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (static_cast<unsigned char>(text[i]) >= 0x80 || text[i] == 0x1B)
			return false;
	return true;
}

std::string character_set_of(DcmItem *item)
{
	OFString written;
	if (item->findAndGetOFStringArray(DCM_SpecificCharacterSet, written).bad())
		return "";
	std::string text(written.c_str(), written.length());
	trim(text);
	return text;
}

bool element_needs_character_set(DcmElement *element)
{
	const char *text = nullptr;
	size_t length = 0;
	return element_raw_text(element, text, length) && !is_plain_ascii(text, length);
}

/* The Japanese sets with code extensions (ISO_IR 87, 159) are those of ISO-2022-JP-2, which the C
 * library knows as a whole, whereas DCMTK asks it for the single sets, which it does not know. */
static bool japanese_to_utf8(std::string &out, const std::string &character_set, const char *text,
			     size_t length)
{
	if (character_set.find("ISO 2022 IR 87") == std::string::npos &&
	    character_set.find("ISO 2022 IR 159") == std::string::npos)
		return false;
	iconv_t converter = iconv_open("UTF-8", "ISO-2022-JP-2");
	if (converter == reinterpret_cast<iconv_t>(-1))
		return false;
	std::string from(text, length), to(4 * length + 16, '\0');
	char *in = &from[0], *at = &to[0];
	size_t in_left = from.size(), out_left = to.size();
	bool done = iconv(converter, &in, &in_left, &at, &out_left) != static_cast<size_t>(-1);
	iconv_close(converter);
	to.resize(to.size() - out_left);
	if (done)
		out = utf8_repaired(to.data(), to.size());
	return done;
}

static bool declared_to_utf8(std::string &out, const std::string &character_set,
			     DcmElement *element, const char *text, size_t length)
{
	/* The default repertoire has no bytes above 127: what occurs there is undeclared. */
	if (character_set.empty() || character_set == "ISO_IR 6")
		return false;
	if (japanese_to_utf8(out, character_set, text, length))
		return true;
	DcmSpecificCharacterSet converter;
	OFString converted;
	const char *delimiters = element->getVR() == EVR_PN ? "\\^=" : "\\\r\n\f\t";
	if (converter.selectCharacterSet(character_set.c_str()).bad() ||
	    converter.convertString(OFString(text, length), converted, delimiters).bad())
		return false;
	out = utf8_repaired(converted.c_str(), converted.length());
	return true;
}

std::string element_utf8(DcmElement *element, const std::string &character_set)
{
	const char *text = nullptr;
	size_t length = 0;
	if (!element_raw_text(element, text, length))
		return "";
	std::string out;
	if (is_plain_ascii(text, length))
		out.assign(text, length);
	else if (!element->isAffectedBySpecificCharacterSet() || character_set == "ISO_IR 192" ||
		 !declared_to_utf8(out, character_set, element, text, length))
		out = utf8_repaired(text, length);
	trim(out);
	return out;
}

void element_recode(DcmElement *element, const std::string &character_set)
{
	DcmSequenceOfItems *sequence = dynamic_cast<DcmSequenceOfItems *>(element);
	if (!sequence || element->getVR() != EVR_SQ) {
		if (element->isAffectedBySpecificCharacterSet())
			element->putOFStringArray(element_utf8(element, character_set).c_str());
		return;
	}
	for (DcmObject *entry = nullptr; (entry = sequence->nextInContainer(entry)) != nullptr;) {
		DcmItem *item = static_cast<DcmItem *>(entry);
		std::string own = character_set_of(item);
		for (DcmObject *inner = nullptr; (inner = item->nextInContainer(inner)) != nullptr;)
			element_recode(static_cast<DcmElement *>(inner),
				       own.empty() ? character_set : own);
		item->findAndDeleteElement(DCM_SpecificCharacterSet);
	}
}
