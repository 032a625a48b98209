// The page of `flareseg view`: NiiVue shows the CT with its labels in three linked slices, and the organs in 3D.
"use strict";

const { Niivue, NVImage, SLICE_TYPE, SHOW_RENDER } = niivue;
const WINDOWS = { liver: [-10, 150], lung: [-1350, 150], bone: [-450, 1050] };
const FROM_ANTERIOR = [180, 10];  // azimuth and elevation, degrees
const SHADING = 0.7;
const ZOOM = 1.1;
const COMMON = { dragAndDropEnabled: false, logLevel: "warn", showLegend: false, crosshairWidthUnit: "mm",
  viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "" };
// As radiologists see them: the fourth quarter is the organs' in 3D (view.css).
const QUARTERS = [{ sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 0.5, 0.5] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [0.5, 0, 0.5, 0.5] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0, 0.5, 0.5, 0.5] }];

const element = (id) => document.getElementById(id);
const create = (tag, properties) => Object.assign(document.createElement(tag), properties);

async function loaded(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error("This page is not served any more; start flareseg view again.");
  return response;
}

const bytes = async (name) => (await loaded(name)).arrayBuffer();
const image = (name, buffer, options) => NVImage.loadFromUrl({ url: name, name, buffer, ...options });

/** NiiVue's table of colours: an entry a label; the background and hidden organs are transparent. */
function colourTable(organs, hidden) {
  const channel = (c) => [0, ...organs.map((organ) => organ.colour[c])];
  return { R: channel(0), G: channel(1), B: channel(2),
    A: [0, ...organs.map((organ) => (hidden.has(organ.label) ? 0 : 255))],
    I: [0, ...organs.map((organ) => organ.label)], labels: ["", ...organs.map((organ) => organ.name)] };
}

async function labelImage(buffer, organs, opacity) {
  const labels = await image("labels.nii", buffer, { cal_min: 0, cal_max: 255, opacity });
  labels.setColormapLabel(colourTable(organs, new Set()));
  return labels;
}

async function sliceViewer(facts, ct, labels) {
  const viewer = new Niivue({ ...COMMON, isRadiologicalConvention: true, sagittalNoseLeft: true, crosshairWidth: 0.8,
    crosshairColor: [0.4, 0.8, 1, 1], multiplanarShowRender: SHOW_RENDER.NEVER });
  await viewer.attachTo("slices");
  viewer.setCustomLayout(QUARTERS);
  viewer.addVolume(await image("ct.nii", ct, { colormap: "gray", cal_min: facts.window[0], cal_max: facts.window[1] }));
  viewer.addVolume(await labelImage(labels, facts.organs, Number(element("opacity").value)));
  return viewer;
}

async function organViewer(facts, labels) {
  const viewer = new Niivue({ ...COMMON, sliceType: SLICE_TYPE.RENDER, show3Dcrosshair: true, crosshairWidth: 1.5,
    crosshairColor: [0.4, 0.8, 1, 0.5] });
  await viewer.attachTo("organs");
  viewer.setRenderAzimuthElevation(...FROM_ANTERIOR);
  viewer.setScale(ZOOM);
  viewer.addVolume(await labelImage(labels, facts.organs, 1));
  await viewer.setVolumeRenderIllumination(SHADING);
  return viewer;
}

/** Where one viewer goes, the other follows, drawn once a frame at most. */
function link(leader, follower, told) {
  let waiting = false;
  leader.onLocationChange = (location) => {
    follower.scene.crosshairPos = follower.mm2frac(location.mm);
    told(location.mm);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      follower.drawScene();
    });
  };
}

function goTo(viewer, place) {
  viewer.scene.crosshairPos = viewer.mm2frac(place);
  viewer.drawScene();
  viewer.createOnLocationChange();
}

function tableRow(organ, onShow, onGo) {
  const found = organ.place !== null;
  const shown = create("input", { type: "checkbox", checked: found, disabled: !found,
    ariaLabel: `show ${organ.name}` });
  shown.style.accentColor = `rgb(${organ.colour.join(",")})`;
  shown.addEventListener("change", () => onShow(shown.checked));
  const name = create("button", { textContent: organ.name, disabled: !found });
  name.addEventListener("click", onGo);
  const row = create("tr");
  row.insertCell().append(shown, name);
  row.insertCell().textContent = found ? organ.volume_ml.toFixed(1) : "not found";
  row.insertCell().textContent = found ? organ.mean_hu.toFixed(0) : "-";
  return row;
}

function fillTable(facts, slices, organs) {
  const hidden = new Set();
  const show = (organ, shown) => {
    hidden[shown ? "delete" : "add"](organ.label);
    for (const viewer of [slices, organs]) {
      viewer.volumes.at(-1).setColormapLabel(colourTable(facts.organs, hidden));
      viewer.updateGLVolume();
    }
  };
  element("table").append(...facts.organs.map((organ) =>
    tableRow(organ, (shown) => show(organ, shown), () => goTo(slices, organ.place))));
}

function offerWindows(abdomen, slices) {
  const windows = { abdomen, ...WINDOWS };
  element("window").append(...Object.entries(windows).map(([name, [low, high]]) =>
    create("option", { value: name, textContent: `${name} (${(low + high) / 2} / ${high - low})` })));
  element("window").addEventListener("change", () => {
    [slices.volumes[0].cal_min, slices.volumes[0].cal_max] = windows[element("window").value];
    slices.updateGLVolume();
  });
}

async function start() {
  if (!create("canvas").getContext("webgl2")) throw new Error("This browser cannot draw the page: it has no WebGL 2.");
  const [facts, ct, labels, block] = await Promise.all([loaded("facts.json").then((response) => response.json()),
    bytes("ct.nii"), bytes("labels.nii"), bytes("organs.nii")]);
  element("warnings").append(...facts.warnings.map((sentence) => create("li", { textContent: sentence })));
  const slices = await sliceViewer(facts, ct, labels);
  const organs = await organViewer(facts, block);
  const tell = (place) => {
    const voxel = slices.frac2vox(slices.mm2frac(place));
    const [hu, label] = slices.volumes.map((volume) => volume.getValue(...voxel));
    const organ = facts.organs.find((each) => each.label === label);
    element("location").textContent = `At the crosshair: ${Math.round(hu)} HU${organ ? `, ${organ.name}` : ""}`;
  };
  link(slices, organs, tell);
  link(organs, slices, tell);
  fillTable(facts, slices, organs);
  offerWindows(facts.window, slices);
  element("opacity").addEventListener("input", () => slices.setOpacity(1, Number(element("opacity").value)));
  goTo(slices, facts.place);
  window.viewers = { slices, organs };  // for those who want more of NiiVue, in the browser's console
  element("status").textContent = "";
}

start().catch((error) => {
  Object.assign(element("status"), { textContent: error.message, className: "failed" });
  console.error(error);
});
