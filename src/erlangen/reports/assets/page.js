const root=document.documentElement;
function css(name){return getComputedStyle(root).getPropertyValue(name).trim()}
function run(k){return css("--run"+k)}
function faded(hex,a){const n=parseInt(hex.slice(1),16);return `rgba(${n>>16},${n>>8&255},${n&255},${a})`}
function dressed(trace){
  const {role,run:k}=trace.meta,c=k<0?css("--soft"):run(k),t={...trace};
  if(role==="data")t.marker={size:4,color:faded(c,.4)};
  if(role==="line")t.line={width:1.8,color:c};
  if(role==="band"){t.line={width:0};t.fill="toself";t.fillcolor=faded(c,.18)}
  if(role==="edge")t.line={width:1.5,color:css("--ink"),dash:"dot"};
  if(role==="dots")t.marker={size:6,color:c,...trace.marker};
  if(role==="bars")t.marker={color:faded(c,.6)};
  if(t.name)t.name=plain(t.name);
  if(t.text)t.text=t.text.map(plain);
  return t}
function short(text,most){return text.length>most?text.slice(0,most-1)+"\u2026":text}
function decades(range){return range?Math.max(1,Math.ceil((range[1]-range[0])/7)):1}
function axis(given){
  const a={...given,gridcolor:css("--edge"),zerolinecolor:css("--edge"),automargin:true,
    exponentformat:"power",...(given.type==="log"?{dtick:decades(given.range)}:{}),fixedrange:touched.matches,
    title:{text:plain(given.title?.text??""),standoff:8,font:{color:css("--soft"),size:13}}};
  if(a.ticktext)a.ticktext=a.ticktext.map(t=>plain(innerWidth<640?short(t,16):t));
  return a}
function framed(layout){
  const l={...layout,font:{family:"system-ui,sans-serif",size:13,color:css("--ink")},
    paper_bgcolor:"rgba(0,0,0,0)",plot_bgcolor:"rgba(0,0,0,0)",bargap:.15,
    hoverlabel:{bgcolor:css("--card"),bordercolor:css("--line"),font:{color:css("--ink")}}};
  for(const key of Object.keys(l))if(/^[xy]axis/.test(key))l[key]=axis(l[key]);
  if(l.annotations)l.annotations=l.annotations.map(a=>({...a,...placed(a,l.xaxis.range),text:plain(a.text)}));
  if(paper)l.width=PAPER;
  if(l.scene){l.scene={...l.scene};
    for(const key of ["xaxis","yaxis","zaxis"])l.scene[key]={...l.scene[key],gridcolor:css("--edge"),
      zerolinecolor:css("--edge"),color:css("--soft"),showspikes:false,backgroundcolor:"rgba(0,0,0,0)"}}
  return l}
// A note near the right edge stands to the left of what it notes.
function placed(note,range){
  if(!range||(note.x-range[0])/(range[1]-range[0])<(innerWidth<640?.5:.75))return {};
  return {xanchor:"right",xshift:-note.xshift}}
const PAPER=660; // pixels between the margins of a sheet
let paper=false;
// Names of the data are text, whatever they look like to a library that reads tags.
function plain(text){return String(text).replace(/&/g,"&amp;").replace(/</g,"&lt;")}
const touched=matchMedia("(pointer: coarse)"),dark=matchMedia("(prefers-color-scheme: dark)");
const OPTIONS={responsive:true,displayModeBar:false},drawn=new Set();
// A place is drawn when it comes near the screen, so that a long page opens at once.
const painters=Object.fromEntries(Object.entries(FIGURES).map(([id,f])=>
  [id,()=>Plotly.react(id,f.data.map(dressed),framed(f.layout),OPTIONS)]));
const near=new IntersectionObserver(entries=>{for(const e of entries)if(e.isIntersecting)paint(e.target.id)},
  {rootMargin:"400px"});
// The library waits as text until there is something to draw: what can be read is read at once.
function library(){
  if(window.Plotly)return;
  const script=document.createElement("script");
  script.textContent=document.getElementById("library").textContent;document.head.append(script)}
function paint(id){library();drawn.add(id);near.unobserve(document.getElementById(id));painters[id]()}
function watch(id){const place=document.getElementById(id);if(place)near.observe(place);else delete painters[id]}
function register(id,painter){painters[id]=painter;watch(id)}
function repaint(){for(const id of drawn)painters[id]()}
function paintAll(){if(Object.keys(painters).length)library();for(const id of Object.keys(painters))drawn.add(id);repaint()}
Object.keys(painters).forEach(watch);
dark.addEventListener("change",repaint);
// Paper is light, and shows every figure.
addEventListener("beforeprint",()=>{root.dataset.theme="print";paper=true;paintAll()});
addEventListener("afterprint",()=>{delete root.dataset.theme;paper=false;repaint()});
const said=document.getElementById("said");
async function copy(button){
  const text=button.dataset.copy;
  try{await navigator.clipboard.writeText(text)}
  catch{const area=document.createElement("textarea");area.value=text;document.body.append(area);area.select();
    document.execCommand("copy");area.remove();button.focus()}
  const label=button.textContent;button.textContent="Copied";said.textContent="Copied to the clipboard";
  setTimeout(()=>{button.textContent=label;said.textContent=""},1500)}
for(const button of document.querySelectorAll("button[data-copy]"))button.addEventListener("click",()=>copy(button));
window.erlangen={paintAll,drawn};
