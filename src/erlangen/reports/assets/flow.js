{
const $=id=>document.getElementById(id);
const d=FLOW.names.length,n=FLOW.start.length;
// Flows are computed in units of the data about their centre, where no digit is lost, however far away that is.
const unit=FLOW.start.map(p=>Float64Array.from(p)),place=u=>u.map((v,a)=>FLOW.centre[a]+FLOW.scale[a]*v),start=unit.map(place);
const edges=FLOW.names.map((_,a)=>{const c=unit.map(p=>p[a]);return [Math.min(...c),Math.max(...c)]});
const box=FLOW.names.map((_,a)=>{const c=start.map(p=>p[a]),lo=Math.min(...c),hi=Math.max(...c);return [lo,hi,(hi-lo)||1]});
let chosen=0,time=0,axes=[0,1,-1],moved=start,timer=null;

// --- flows: affine ones by the exponential of their matrix, polynomial ones by Runge-Kutta, others by frames.
function times(a,b){return a.map(row=>b[0].map((_,j)=>row.reduce((s,v,k)=>s+v*b[k][j],0)))}
function exponential(m,t){
  const size=Math.max(...m.map(r=>r.reduce((s,v)=>s+Math.abs(v*t),0))),halvings=Math.max(0,Math.ceil(Math.log2(size||1))+2);
  const a=m.map(r=>r.map(v=>v*t/2**halvings));
  let out=a.map((r,i)=>r.map((_,j)=>i===j?1:0)),term=out;
  for(let k=1;k<18;k++){term=times(term,a).map(r=>r.map(v=>v/k));out=out.map((r,i)=>r.map((v,j)=>v+term[i][j]))}
  for(let k=0;k<halvings;k++)out=times(out,out);
  return out}
function byMatrix(g,t,which){
  const e=exponential(g.matrix,t);
  return which.map(i=>unit[i]).map(p=>Float64Array.from(p,(_,a)=>e[a][d]+p.reduce((s,v,b)=>s+e[a][b]*v,0)))}
function velocity(g,p){
  if(g.matrix)return Float64Array.from(p,(_,a)=>g.matrix[a][d]+p.reduce((s,v,b)=>s+g.matrix[a][b]*v,0));
  const v=new Float64Array(d);
  for(const [a,c,powers] of g.terms){let m=c;for(const [j,e] of powers)m*=p[j]**e;v[a]+=m}
  return v}
function step(g,p,h){
  const at=(q,k,s)=>q.map((v,a)=>v+s*k[a]);
  const k1=velocity(g,p),k2=velocity(g,at(p,k1,h/2)),k3=velocity(g,at(p,k2,h/2)),k4=velocity(g,at(p,k3,h));
  return p.map((v,a)=>v+h/6*(k1[a]+2*k2[a]+2*k3[a]+k4[a]))}
function follow(g,p,t,steps){for(let k=0;k<steps;k++)p=step(g,p,t/steps);return p}
function bySteps(g,t,which){
  // Twice as many steps until both agree; a point that never settles is on its way to infinity.
  return which.map(i=>unit[i]).map(p=>{
    let coarse=follow(g,p,t,16);
    for(let steps=32;steps<=16384&&coarse.every(v=>isFinite(v));steps*=2){
      const fine=follow(g,p,t,steps);
      if(fine.every((v,a)=>Math.abs(v-coarse[a])<=1e-9*(1+Math.abs(v))))return fine;
      coarse=fine}
    return coarse.map(()=>NaN)})}
function byFrames(g,t,which){
  const last=g.frames.length-1,u=(t/g.span+1)/2*last,k=Math.min(Math.max(Math.floor(u),0),last-1),w=u-k;
  const f=i=>g.frames[Math.min(Math.max(i,0),last)],four=[f(k-1),f(k),f(k+1),f(k+2)];
  if(!four[1]||!four[2])return which.map(()=>new Float64Array(d).fill(NaN));
  const [p,q,r,s]=[four[0]||four[1],four[1],four[2],four[3]||four[2]];
  return which.map(i=>Float64Array.from(unit[i],(_,a)=>q[i][a]+w*((r[i][a]-p[i][a])/2+w*(p[i][a]-2.5*q[i][a]
    +2*r[i][a]-s[i][a]/2+w*(1.5*(q[i][a]-r[i][a])+(s[i][a]-p[i][a])/2)))))}
const all=start.map((_,i)=>i);
function flowing(g,t,which=all){
  if(t===0)return which.map(i=>unit[i]);
  return (g.matrix?byMatrix:g.terms?bySteps:byFrames)(g,t,which)}
function flowed(g,t,which=all){return t===0?which.map(i=>start[i]):flowing(g,t,which).map(place)}
function speed(g,i){
  const scaled=v=>v.map((c,a)=>c*FLOW.scale[a]);
  if(!g.frames)return scaled(velocity(g,unit[i]));
  const h=g.span/1e3,[a]=byFrames(g,h,[i]),[b]=byFrames(g,-h,[i]);
  return scaled(a.map((v,k)=>(v-b[k])/(2*h)))}

// --- what is drawn
const VALUE=d;
// Pictures in space have seven digits: far from the origin they show what is left after a round number.
const far=FLOW.centre.map((c,a)=>{const step=10**Math.floor(Math.log10(FLOW.scale[a]));
  return Math.abs(c)>1e3*FLOW.scale[a]?Math.round(c/step)*step:0});
function off(a){return flat()||a===VALUE?0:far[a]}
function column(points,a){const o=off(a);return a===VALUE?FLOW.values:points.map(p=>p[a]-o)}
function label(a){const o=off(a);return a===VALUE?FLOW.value:o?`${FLOW.names[a]} ${o<0?"+":"\u2212"} ${Math.abs(o)}`:FLOW.names[a]}
function reach(a){
  if(a!==VALUE)return [box[a][0]-off(a),box[a][1]-off(a),box[a][2]];
  const lo=Math.min(...FLOW.values),hi=Math.max(...FLOW.values);return [lo,hi,(hi-lo)||1]}
function flat(){return axes[2]<0}
function shown(){return flat()?axes.slice(0,2):axes}
function letters(){return flat()?["x","y"]:["x","y","z"]}
function few(most){const k=Math.max(1,Math.ceil(n/most)),out=[];for(let i=0;i<n;i+=k)out.push(i);return out}
function lines(strokes){
  const out=letters().map(()=>[]);
  for(const stroke of strokes){for(const p of stroke)p.forEach((v,k)=>out[k].push(v));out.forEach(o=>o.push(null))}
  return Object.fromEntries(letters().map((l,k)=>[l,out[k]]))}
function arrows(g){
  // In units of what is on the screen, so that heads are not sheared; the longest tenth is cut.
  const s=shown(),unit=s.map(a=>reach(a)[2]),list=few(flat()?140:110).map(i=>{
    const v=speed(g,i);
    return [s.map((a,k)=>column([start[i]],a)[a===VALUE?i:0]/unit[k]),s.map((a,k)=>(a===VALUE?0:v[a])/unit[k])]});
  const sizes=list.map(([,v])=>Math.hypot(...v)).sort((a,b)=>a-b),top=sizes[Math.floor(.9*(sizes.length-1))]||1;
  const strokes=[];
  for(const [p,v] of list){
    const size=Math.hypot(...v);if(!(size>0))continue;
    const long=(flat()?.075:.12)*Math.min(size/top,1.2),e=v.map(c=>c/size),tip=p.map((c,k)=>c+long*e[k]);
    const side=flat()?[-e[1],e[0]]:across(e),h=.32*long,at=w=>tip.map((c,k)=>c-h*e[k]+w*.55*h*side[k]);
    const back=q=>q.map((c,k)=>c*unit[k]);
    strokes.push([back(p),back(tip)],[back(at(1)),back(tip),back(at(-1))])}
  return lines(strokes)}
function across(e){
  const a=Math.abs(e[2])<.9?[0,0,1]:[1,0,0],c=[e[1]*a[2]-e[2]*a[1],e[2]*a[0]-e[0]*a[2],e[0]*a[1]-e[1]*a[0]];
  const s=Math.hypot(...c);return c.map(v=>v/s)}
function trails(g){
  if(time===0)return lines([]);
  const list=few(60),stops=Array.from({length:13},(_,k)=>flowed(g,time*k/12,list));
  return lines(list.map((i,j)=>stops.map(points=>shown().map(a=>a===VALUE?FLOW.values[i]:points[j][a]-off(a)))))}
function places(points){
  const gone=points.map(p=>!p.every(v=>isFinite(v)));
  return Object.fromEntries(letters().map((l,k)=>[l,column(points,shown()[k]).map((v,i)=>gone[i]?null:v)]))}
function traces(){
  const g=FLOW.generators[chosen],type=flat()?"scatter":"scatter3d",common={type,hoverinfo:"skip",showlegend:false};
  const soft=css("--soft"),blue=css("--run0"),size=flat()?8:3.6;
  const colour=FLOW.values?{color:FLOW.values,colorscale:"Viridis",
    showscale:innerWidth>640,colorbar:{thickness:10,len:.6,outlinewidth:0,title:{text:FLOW.value,side:"right"}}}:{color:blue};
  const rings=FLOW.values?{color:FLOW.values,colorscale:"Viridis",opacity:.55}:{color:soft,opacity:.5};
  const ghost={size:flat()?size+1:size,symbol:"circle-open",line:{width:1.2},...rings};
  return [
    {...common,mode:"markers",...places(start),marker:ghost},
    {...common,mode:"lines",...arrows(g),line:{width:flat()?1.4:3,color:soft}},
    {...common,mode:"lines",...trails(g),line:{width:flat()?1.2:2,color:faded(blue,.45)},connectgaps:false},
    {...common,mode:"markers",...places(moved),marker:{size,...colour,line:{width:flat()?.8:0,color:css("--card")}}}]}
function layout(){
  const wide=a=>{const [lo,hi,w]=reach(a),m=a===VALUE?.06:.3;return [lo-m*w,hi+m*w]};
  const base={margin:{l:56,r:8,t:8,b:44},showlegend:false,uirevision:axes.join()};
  if(flat()){
    const equal=axes[0]!==VALUE&&axes[1]!==VALUE&&ratio()<4;
    const l=framed({...base,margin:{l:56,r:8,t:8,b:44},dragmode:touched.matches?false:"zoom",
      xaxis:{range:wide(axes[0]),title:{text:label(axes[0])},zeroline:false},
      yaxis:{range:wide(axes[1]),title:{text:label(axes[1])},zeroline:false}});
    if(equal){Object.assign(l.yaxis,{scaleanchor:"x",scaleratio:1,constrain:"domain"});l.xaxis.constrain="domain"}
    return l}
  // In three dimensions titles know tags but no entities: a space without width makes a name no tag.
  const one=a=>({title:{text:label(a).replace(/</g,"<\u200b")},range:wide(a),gridcolor:css("--edge"),zerolinecolor:css("--edge"),
    color:css("--soft"),showspikes:false,backgroundcolor:"rgba(0,0,0,0)"});
  const l=framed({...base,margin:{l:0,r:0,t:0,b:0}});
  const even=axes.every(a=>a!==VALUE)&&ratio()<4;
  l.scene={xaxis:one(axes[0]),yaxis:one(axes[1]),zaxis:one(axes[2]),aspectmode:even?"data":"cube",
    camera:{eye:{x:1.05,y:1.05,z:.7},center:{x:0,y:0,z:-.12}},dragmode:"turntable"};
  return l}
function ratio(){const w=shown().map(a=>reach(a)[2]);return Math.max(...w)/Math.min(...w)}
function draw(){Plotly.react("flow-plot",traces(),layout(),OPTIONS)}
function shift(){
  const place=$("flow-plot");
  if(!place.data)return;
  const g=FLOW.generators[chosen],t=trails(g),p=places(moved),keys=letters();
  Plotly.restyle(place,Object.fromEntries(keys.map(l=>[l,[t[l],p[l]]])),[2,3])}

// --- words
function number(v){return v===0?"0":Math.abs(v)<1e-3||Math.abs(v)>=1e5?v.toExponential(1):String(+v.toPrecision(3))}
function changed(g){
  if(!g.change)return null;
  const last=g.change.length-1,u=(time/g.span+1)/2*last,k=Math.min(Math.floor(u),last-1),w=u-k;
  const a=g.change[Math.max(k,0)],b=g.change[Math.max(k,0)+1];
  return w<1e-9?a??null:w>1-1e-9?b??null:a==null||b==null?null:a+(b-a)*w}
function reached(){
  const w=FLOW.inside;
  return w===undefined?n:flowing(FLOW.generators[chosen],time).filter(p=>p.every((v,a)=>v>=edges[a][0]-w&&v<=edges[a][1]+w)).length}
function words(){
  const g=FLOW.generators[chosen],angle=g.rate?` (${Math.round(time*g.rate*180/Math.PI)}\u00b0)`:"";
  const gone=moved.filter(p=>!p.every(v=>isFinite(v))).length,c=changed(g),near=reached();
  const where=near<n?`, at the ${near} of ${n} dots that are within the range of the data`:"";
  const size=c===null||c===undefined?"":c<1e-9?` The ${FLOW.compared} agree with ${FLOW.against[0]}, up to rounding${where}.`:
    ` The ${FLOW.compared} differ from ${FLOW.against[0]} by ${number(100*c)} % of ${FLOW.against[1]}${where}.`;
  const lost=gone?` ${gone} points cannot be followed that far.`:"";
  return time===0?"The points are where they were.":`Moved for t = ${number(time)}${angle}.${size}${lost}`}
function say(){$("flow-said").textContent=words()}

// --- controls
function move(t){time=t;moved=flowed(FLOW.generators[chosen],t);say();if(drawn.has("flow-plot"))shift()}
function fromSlider(){const g=FLOW.generators[chosen],t=$("flow-time").value/100*g.span;
  $("flow-time").setAttribute("aria-valuetext",`t = ${number(t)}`);move(t)}
function choose(){
  chosen=+$("flow-generator").value;axes=["flow-x","flow-y","flow-z"].map(id=>+$(id).value);
  moved=flowed(FLOW.generators[chosen],time=$("flow-time").value/100*FLOW.generators[chosen].span);
  say();if(drawn.has("flow-plot"))draw()}
function stop(){cancelAnimationFrame(timer);timer=null;$("flow-play").textContent="Play";
  $("flow-play").setAttribute("aria-pressed","false");$("flow-said").setAttribute("aria-live","polite")}
function play(){
  if(timer!==null)return stop();
  $("flow-play").textContent="Pause";$("flow-play").setAttribute("aria-pressed","true");
  $("flow-said").setAttribute("aria-live","off");
  const from=+$("flow-time").value,began=performance.now();
  const frame=now=>{
    // A turn goes round; any other flow goes to its end and back.
    const g=FLOW.generators[chosen],phase=((now-began)/4000*200+from+100)%(g.rate?200:400);
    $("flow-time").value=(phase<=200?phase:400-phase)-100;fromSlider();timer=requestAnimationFrame(frame)};
  timer=requestAnimationFrame(frame)}
$("flow-time").addEventListener("input",()=>{stop();fromSlider()});
for(const id of ["flow-generator","flow-x","flow-y","flow-z"])$(id).addEventListener("change",choose);
$("flow-play").addEventListener("click",play);
$("flow-reset").addEventListener("click",()=>{stop();$("flow-time").value=0;fromSlider()});
addEventListener("beforeprint",()=>{stop();if(!flat()){axes=[...axes.slice(0,2),-1];draw()}});
addEventListener("afterprint",choose);
for(const e of ["flow-x","flow-y","flow-z"])axes[["flow-x","flow-y","flow-z"].indexOf(e)]=+$(e).value;
register("flow-plot",draw);say();
window.erlangen.flow={data:FLOW,points:()=>moved.map(p=>Array.from(p)),start:()=>start.map(p=>Array.from(p)),
  time:()=>time,axes:()=>[...axes],generator:()=>chosen,change:()=>changed(FLOW.generators[chosen]),
  moveTo:t=>{$("flow-time").value=100*t/FLOW.generators[chosen].span;move(t)}};
}
