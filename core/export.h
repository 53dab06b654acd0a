// Marks what the shared library exports; everything else stays hidden.
#pragma once

#if defined(TAPEGRAD_STATIC)
#define TAPEGRAD_API
#elif defined(_WIN32)
#ifdef TAPEGRAD_BUILDING
#define TAPEGRAD_API __declspec(dllexport)
#else
#define TAPEGRAD_API __declspec(dllimport)
#endif
#else
#define TAPEGRAD_API __attribute__((visibility("default")))
#endif
