"""Slicer's Python modules that no package ships: slicer.i18n, slicer.packaging, SampleData.

Nothing here installs a package or downloads a file.
"""

from __future__ import annotations

import types


def build_i18n() -> types.ModuleType:
    """Return slicer.i18n without any translation."""
    module = types.ModuleType("slicer.i18n")

    def tr(text, context=None):
        if not isinstance(text, str):
            raise TypeError(f"_() takes text, not {text!r}")
        return text

    module.tr, module.translate = tr, lambda context, text: tr(text)
    return module


def build_packaging() -> types.ModuleType:
    """Return slicer.packaging; a test that wants an installation replaces `pip_ensure`."""
    module = types.ModuleType("slicer.packaging")

    def pip_ensure(requirements, constraints=None, skip_packages=None, prompt_install=True, prompt_restart=True,
                   requester=None, skip_in_testing=True, show_progress=True):
        raise AssertionError(f"the module installs {requirements}, which no test has announced")

    module.pip_ensure = pip_ensure
    return module


def build_sample_data() -> types.ModuleType:
    """Return SampleData; `sources` lists what has been registered."""
    module = types.ModuleType("SampleData")

    class SampleDataLogic:
        sources: dict[str, dict] = {}
        categories: dict[str, str] = {}

        @staticmethod
        def registerCustomSampleDataCategory(category, title):
            SampleDataLogic.categories[category] = title

        @staticmethod
        def registerCustomSampleDataSource(category="Custom", sampleName=None, uris=None, fileNames=None,
                                           nodeNames=None, customDownloader=None, thumbnailFileName=None,
                                           loadFileTypes=None, loadFiles=None, loadFileProperties=None,
                                           checksums=None, loadFileType=None):
            if None in (sampleName, uris, fileNames):
                raise ValueError("a sample needs sampleName, uris and fileNames")
            SampleDataLogic.sources[sampleName] = {"category": category, "download": customDownloader,
                                                   "thumbnail": thumbnailFileName}

    def downloadSamples(sampleName):
        return SampleDataLogic.sources[sampleName]["download"](None)

    module.SampleDataLogic, module.downloadSamples = SampleDataLogic, downloadSamples
    return module
